"""GitOps tools, by their own code, with the operator: what docs/gitops.md promises."""

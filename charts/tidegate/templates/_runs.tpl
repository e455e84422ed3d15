{{/* The Pod template that the operator lays beneath the `spec.template` of every SyncIntegration, as JSON. */}}
{{- define "tidegate.runTemplate" -}}
{{- $container := dict -}}
{{- with .resources }}{{ $_ := set $container "resources" . }}{{ end -}}
{{- with .securityContext }}{{ $_ := set $container "securityContext" . }}{{ end -}}
{{- $worker := deepCopy $container -}}
{{- with .extraEnv }}{{ $_ := set $worker "env" . }}{{ end -}}
{{- with .extraVolumeMounts }}{{ $_ := set $worker "volumeMounts" . }}{{ end -}}
{{- $spec := dict -}}
{{- if $container }}{{ $_ := set $spec "initContainers" (list (set $container "name" "prepare-cache")) }}{{ end -}}
{{- if $worker }}{{ $_ := set $spec "containers" (list (set $worker "name" "sync")) }}{{ end -}}
{{- with .podSecurityContext }}{{ $_ := set $spec "securityContext" . }}{{ end -}}
{{- with .extraVolumes }}{{ $_ := set $spec "volumes" . }}{{ end -}}
{{- $values := . -}}
{{- range list "imagePullSecrets" "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" "priorityClassName" -}}
{{- $setting := . -}}
{{- with index $values $setting }}{{ $_ := set $spec $setting . }}{{ end -}}
{{- end -}}
{{- $metadata := dict -}}
{{- with .podAnnotations }}{{ $_ := set $metadata "annotations" . }}{{ end -}}
{{- with .podLabels }}{{ $_ := set $metadata "labels" . }}{{ end -}}
{{- $template := dict -}}
{{- with $metadata }}{{ $_ := set $template "metadata" . }}{{ end -}}
{{- with $spec }}{{ $_ := set $template "spec" . }}{{ end -}}
{{- with $template }}{{ toJson . }}{{ end -}}
{{- end -}}

"""The CustomResourceDefinition, generated from the models of the API and of the worker. No program imports it."""

{{- define "tidegate.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* `tidegate` for a release of that name, else `<release>-tidegate`. */}}
{{- define "tidegate.fullname" -}}
{{- $name := include "tidegate.name" . -}}
{{- $default := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- default $default .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "tidegate.serviceAccountName" -}}
{{- default (.Values.serviceAccount.create | ternary (include "tidegate.fullname" .) "default") .Values.serviceAccount.name -}}
{{- end -}}

{{- define "tidegate.selectorLabels" -}}
app.kubernetes.io/name: {{ include "tidegate.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "tidegate.labels" -}}
{{ include "tidegate.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* An image reference, from (dict "image" .Values.….image "root" $). */}}
{{- define "tidegate.image" -}}
{{- with .image.digest -}}
{{- printf "%s@%s" $.image.repository . -}}
{{- else -}}
{{- printf "%s:%s" .image.repository (default .root.Chart.AppVersion .image.tag) -}}
{{- end -}}
{{- end -}}

{{/* Not empty when the ClusterRoles `view`, `edit` and `admin` are to be extended. */}}
{{- define "tidegate.aggregates" -}}
{{- if kindIs "bool" .Values.rbac.aggregate | ternary .Values.rbac.aggregate (empty .Values.namespaces) -}}true{{- end -}}
{{- end -}}

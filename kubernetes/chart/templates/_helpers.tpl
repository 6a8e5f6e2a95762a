{{- define "prodpin.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "prodpin.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{ include "prodpin.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "prodpin.selector" -}}
app.kubernetes.io/name: prodpin
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "prodpin.serviceAccount" -}}
{{- default (include "prodpin.fullname" .) .Values.serviceAccount.name -}}
{{- end -}}

{{- define "prodpin.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{- define "prodpin.policy" -}}
{{- default (printf "%s-policy" (include "prodpin.fullname" .)) .Values.policy.existingConfigMap -}}
{{- end -}}

{{/* What both ways to run share: no root, no capabilities, nothing writable but /tmp. */}}
{{- define "prodpin.pod" -}}
serviceAccountName: {{ include "prodpin.serviceAccount" . }}
automountServiceAccountToken: true
enableServiceLinks: false
# SIGTERM ends a run: what was seen is committed, and the report says that it is incomplete.
terminationGracePeriodSeconds: 60
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{ toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: { type: RuntimeDefault }
volumes:
  - name: policy
    configMap: { name: {{ include "prodpin.policy" . }} }
  - name: tmp
    emptyDir: { sizeLimit: {{ .Values.tmpSizeLimit }} }
{{- end -}}

{{- define "prodpin.container" -}}
image: {{ include "prodpin.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
resources: {{ toYaml .Values.resources | nindent 2 }}
volumeMounts:
  - { name: policy, mountPath: /etc/prodpin, readOnly: true }
  - { name: tmp, mountPath: /tmp }
{{- with .Values.envFrom }}
envFrom: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "prodpin.env" -}}
- { name: PRODPIN_POLICY, value: /etc/prodpin/prodpin.yaml }
{{- if .Values.ledgerKey.secret }}
- name: PRODPIN_LEDGER_KEY
  valueFrom: { secretKeyRef: { name: {{ .Values.ledgerKey.secret }}, key: ledger.key, optional: {{ .Values.ledgerKey.optional }} } }
{{- end }}
{{- with .Values.env }}
{{ toYaml . }}
{{- end }}
{{- end -}}

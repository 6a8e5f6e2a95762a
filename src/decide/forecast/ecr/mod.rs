//! ECR lifecycle policies (FIELD-GUIDE A.4, A.5).

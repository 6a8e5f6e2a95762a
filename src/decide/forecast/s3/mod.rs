//! S3 lifecycle rules (FIELD-GUIDE B.1).

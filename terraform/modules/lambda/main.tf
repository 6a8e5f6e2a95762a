# The function, what invokes it, the queue for events that it could not process, and the alarms.

resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

resource "aws_lambda_function" "this" {
  function_name                  = var.name
  description                    = "Keeps the last production releases ready to roll back to (${var.mode})"
  role                           = var.role_arn
  runtime                        = "provided.al2023"
  handler                        = "bootstrap"
  architectures                  = [var.architecture]
  filename                       = var.package
  source_code_hash               = filebase64sha256(var.package)
  memory_size                    = var.memory
  timeout                        = var.timeout
  reserved_concurrent_executions = var.reserved_concurrency
  kms_key_arn                    = var.kms_key_arn
  tags                           = var.tags

  environment {
    variables = merge(
      { PRODPIN_MODE = var.mode },
      length(var.queue_arns) == 0 ? {} : { PRODPIN_REPORT_BATCH_ITEM_FAILURES = "true" },
      var.policy == null ? {} : { PRODPIN_POLICY_TEXT = var.policy },
      var.ledger_key_arn == null ? {} : { PRODPIN_LEDGER_KEY = var.ledger_key_arn },
      var.environment,
    )
  }

  depends_on = [aws_cloudwatch_log_group.this, aws_iam_role_policy.this]
}

# An event is a hint that comes again with the next run, so it is tried once more and not kept for hours (G149). What
# failed is put aside with the error that it failed with.
resource "aws_lambda_function_event_invoke_config" "this" {
  function_name                = aws_lambda_function.this.function_name
  maximum_retry_attempts       = 1
  maximum_event_age_in_seconds = 3600

  destination_config {
    on_failure {
      destination = aws_sqs_queue.dead_letters.arn
    }
  }
}

resource "aws_sqs_queue" "dead_letters" {
  name                              = "${var.name}-dead-letters"
  message_retention_seconds         = 1209600
  sqs_managed_sse_enabled           = var.kms_key_arn == null ? true : null
  kms_master_key_id                 = var.kms_key_arn
  kms_data_key_reuse_period_seconds = var.kms_key_arn == null ? null : 3600
  tags                              = var.tags
}

# EventBridge puts what it could not deliver there itself, and must be let; nothing else may, and nothing without TLS.
data "aws_iam_policy_document" "dead_letters" {
  statement {
    sid       = "OnlyOverTls"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = [aws_sqs_queue.dead_letters.arn]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  dynamic "statement" {
    for_each = length(local.rules) == 0 ? [] : [1]
    content {
      sid       = "RulesOfThisFunction"
      actions   = ["sqs:SendMessage"]
      resources = [aws_sqs_queue.dead_letters.arn]
      principals {
        type        = "Service"
        identifiers = ["events.amazonaws.com"]
      }
      condition {
        test     = "ArnEquals"
        variable = "aws:SourceArn"
        values   = [for rule in aws_cloudwatch_event_rule.this : rule.arn]
      }
    }
  }
}

resource "aws_sqs_queue_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.id
  policy    = data.aws_iam_policy_document.dead_letters.json
}

data "aws_iam_policy_document" "function" {
  statement {
    sid       = "WriteItsLog"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.this.arn}:*"]
  }
  statement {
    sid       = "PutAsideWhatFailed"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.dead_letters.arn]
  }
  dynamic "statement" {
    for_each = var.ledger_key_arn == null ? [] : [1]
    content {
      sid       = "ReadTheLedgersPublicKey"
      actions   = ["kms:GetPublicKey"]
      resources = [var.ledger_key_arn]
    }
  }
  dynamic "statement" {
    for_each = var.ledger_key_arn == null ? [] : [1]
    content {
      sid       = "SignTheLedger"
      actions   = ["kms:Sign"]
      resources = [var.ledger_key_arn]
      condition {
        test     = "StringEquals"
        variable = "kms:SigningAlgorithm"
        values   = ["ED25519_SHA_512"]
      }
    }
  }
  dynamic "statement" {
    for_each = length(var.queue_arns) == 0 ? [] : [1]
    content {
      sid       = "ReadItsQueues"
      actions   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
      resources = var.queue_arns
    }
  }
}

resource "aws_iam_role_policy" "this" {
  count  = var.role_name == null ? 0 : 1
  name   = "${var.name}-function"
  role   = var.role_name
  policy = data.aws_iam_policy_document.function.json
}

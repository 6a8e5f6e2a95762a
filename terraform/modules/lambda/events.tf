# What invokes the function: the schedule, and what happens in registries and buckets.

data "aws_iam_policy_document" "scheduler_trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }
    # Not the schedules of other accounts, which could name this role as theirs.
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

data "aws_caller_identity" "current" {}

resource "aws_iam_role" "scheduler" {
  name               = "${var.name}-scheduler"
  assume_role_policy = data.aws_iam_policy_document.scheduler_trust.json
  tags               = var.tags
}

data "aws_iam_policy_document" "scheduler" {
  statement {
    actions   = ["lambda:InvokeFunction"]
    resources = [aws_lambda_function.this.arn]
  }
  statement {
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.dead_letters.arn]
  }
}

resource "aws_iam_role_policy" "scheduler" {
  name   = "invoke"
  role   = aws_iam_role.scheduler.id
  policy = data.aws_iam_policy_document.scheduler.json
}

resource "aws_scheduler_schedule" "this" {
  name                         = var.name
  description                  = "Runs prodpin over the whole policy"
  schedule_expression          = var.schedule
  schedule_expression_timezone = var.time_zone

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_function.this.arn
    role_arn = aws_iam_role.scheduler.arn
    dead_letter_config {
      arn = aws_sqs_queue.dead_letters.arn
    }
    # The next run makes up for one that could not start.
    retry_policy {
      maximum_event_age_in_seconds = 900
      maximum_retry_attempts       = 3
    }
  }
}

locals {
  rules = merge(
    var.ecr_events ? {
      ecr = {
        description = "Images pushed or deleted"
        pattern = {
          source      = ["aws.ecr"]
          detail-type = ["ECR Image Action"]
          detail = merge(
            { result = ["SUCCESS"], action-type = ["PUSH", "DELETE"] },
            length(var.ecr_repository_prefixes) == 0 ? {} : {
              repository-name = [for prefix in var.ecr_repository_prefixes : { prefix = prefix }]
            },
          )
        }
      }
    } : {},
    length(var.event_buckets) > 0 ? {
      s3 = {
        description = "Objects written or deleted in deployment buckets"
        pattern = {
          source      = ["aws.s3"]
          detail-type = ["Object Created", "Object Deleted"]
          detail      = { bucket = { name = var.event_buckets } }
        }
      }
    } : {},
  )
}

resource "aws_cloudwatch_event_rule" "this" {
  for_each      = local.rules
  name          = "${var.name}-${each.key}"
  description   = each.value.description
  event_pattern = jsonencode(each.value.pattern)
  tags          = var.tags
}

resource "aws_cloudwatch_event_target" "this" {
  for_each = local.rules
  rule     = aws_cloudwatch_event_rule.this[each.key].name
  arn      = aws_lambda_function.this.arn
  dead_letter_config {
    arn = aws_sqs_queue.dead_letters.arn
  }
  retry_policy {
    maximum_event_age_in_seconds = 900
    maximum_retry_attempts       = 3
  }
}

resource "aws_lambda_permission" "rules" {
  for_each      = local.rules
  statement_id  = "rule-${each.key}"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this.function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.this[each.key].arn
}

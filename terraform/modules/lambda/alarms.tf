# These alarms are for silence: a function that no longer runs reports nothing. It writes its own metrics to
# its log, in CloudWatch's embedded format.

locals {
  # Three such periods: one run may be late and one may fail before anybody is called. A day by fives of minutes and a
  # week by hours is as far as an alarm may look back, and three times a day is within it.
  missed_period = max(300, var.schedule_minutes * 60)
  evaluations   = 3
}

resource "aws_cloudwatch_metric_alarm" "missed_runs" {
  alarm_name          = "${var.name}-missed-runs"
  alarm_description   = "No complete run over the whole policy for ${local.evaluations * local.missed_period / 60} minutes. Pushes and deletions since then were not seen."
  namespace           = "prodpin"
  metric_name         = "WholeRuns"
  dimensions          = { Function = var.name }
  statistic           = "Sum"
  period              = local.missed_period
  evaluation_periods  = local.evaluations
  datapoints_to_alarm = local.evaluations
  threshold           = 1
  comparison_operator = "LessThanThreshold"
  # No data is exactly what is meant.
  treat_missing_data = "breaching"
  alarm_actions      = var.alarm_actions
  ok_actions         = var.alarm_actions
  tags               = var.tags
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "${var.name}-errors"
  alarm_description   = "Invocations failed or were incomplete. The function's log says why; the next run does the rest."
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = aws_lambda_function.this.function_name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "throttles" {
  alarm_name          = "${var.name}-throttles"
  alarm_description   = "Lambda throttled invocations. Raise reserved_concurrency, or the account's limit."
  namespace           = "AWS/Lambda"
  metric_name         = "Throttles"
  dimensions          = { FunctionName = aws_lambda_function.this.function_name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  alarm_name          = "${var.name}-dead-letters"
  alarm_description   = "Events could not be processed or delivered. They are in the queue ${aws_sqs_queue.dead_letters.name}."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.dead_letters.name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "critical" {
  alarm_name          = "${var.name}-critical"
  alarm_description   = "A run has critical findings: a rollback would fail, or production's bytes changed. The log and the report name them."
  namespace           = "prodpin"
  metric_name         = "Critical"
  dimensions          = { Function = var.name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  tags                = var.tags
}

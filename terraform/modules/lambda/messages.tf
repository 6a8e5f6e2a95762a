# Where such events already go to a queue or a topic, the function reads them there: S3 tells each kind of event of a
# bucket to one place only.

resource "aws_lambda_event_source_mapping" "queue" {
  for_each         = toset(var.queue_arns)
  event_source_arn = each.key
  function_name    = aws_lambda_function.this.arn
  # Events about one repository come together, and are then one look at it.
  batch_size                         = 100
  maximum_batching_window_in_seconds = 5
  # Only messages that were not understood go back to the queue. A variable says so to the function, which cannot see it.
  function_response_types = ["ReportBatchItemFailures"]
  tags                    = var.tags

  # As few at once as Lambda allows: they would look at the same repositories.
  scaling_config {
    maximum_concurrency = 2
  }

  depends_on = [aws_iam_role_policy.this]
}

resource "aws_sns_topic_subscription" "topic" {
  for_each  = toset(var.topic_arns)
  topic_arn = each.key
  protocol  = "lambda"
  endpoint  = aws_lambda_function.this.arn
}

resource "aws_lambda_permission" "topics" {
  for_each      = toset(var.topic_arns)
  statement_id  = "topic-${substr(sha256(each.key), 0, 12)}"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this.function_name
  principal     = "sns.amazonaws.com"
  source_arn    = each.key
}

output "function_arn" {
  description = "The function's ARN."
  value       = aws_lambda_function.this.arn
}

output "function_name" {
  description = "The function's name, to invoke it by hand with {\"mode\": \"audit\"}."
  value       = aws_lambda_function.this.function_name
}

output "dead_letter_queue_url" {
  description = "The queue of events that could not be processed or delivered."
  value       = aws_sqs_queue.dead_letters.url
}

output "alarm_arns" {
  description = "The alarms' names by topic."
  value = {
    missed_runs  = aws_cloudwatch_metric_alarm.missed_runs.arn
    errors       = aws_cloudwatch_metric_alarm.errors.arn
    throttles    = aws_cloudwatch_metric_alarm.throttles.arn
    dead_letters = aws_cloudwatch_metric_alarm.dead_letters.arn
    critical     = aws_cloudwatch_metric_alarm.critical.arn
  }
}

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = {
      json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}"
    }
  }
  mock_data "aws_caller_identity" {
    defaults = {
      account_id = "111122223333"
    }
  }
}

variables {
  # Any file will do for a plan.
  package  = "versions.tf"
  role_arn = "arn:aws:iam::111122223333:role/prodpin-audit"
}

run "it_looks_every_quarter_of_an_hour_and_silence_is_an_alarm" {
  command = plan
  assert {
    condition     = aws_scheduler_schedule.this.schedule_expression == "rate(15 minutes)"
    error_message = "every 15 minutes"
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.missed_runs.treat_missing_data == "breaching" && aws_cloudwatch_metric_alarm.missed_runs.period == 900
    error_message = "a function that never runs has no metrics at all: that must be the alarm (F91)"
  }
  assert {
    condition     = aws_lambda_function.this.environment[0].variables == tomap({ PRODPIN_MODE = "audit" })
    error_message = "without a word it only looks"
  }
  assert {
    condition     = aws_lambda_function_event_invoke_config.this.maximum_retry_attempts == 1
    error_message = "an event is tried again, and not for hours"
  }
  assert {
    condition     = keys(aws_cloudwatch_event_rule.this) == ["ecr"]
    error_message = "without buckets there is no rule about them"
  }
  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.this["ecr"].event_pattern).detail-type == ["ECR Image Action"]
    error_message = "pushes and deletions (A41)"
  }
}

run "events_are_narrowed_to_what_is_looked_after" {
  command = plan
  variables {
    mode                    = "enforce"
    policy                  = "version: 1"
    environment             = { TOKEN = "x" }
    ecr_repository_prefixes = ["shop/"]
    event_buckets           = ["acme-deployments"]
    schedule                = "cron(0 3 * * ? *)"
    schedule_minutes        = 1440
  }
  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.this["ecr"].event_pattern).detail.repository-name == [{ prefix = "shop/" }]
    error_message = "other repositories' events cost invocations"
  }
  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.this["s3"].event_pattern).detail.bucket.name == ["acme-deployments"]
    error_message = "only the deployment buckets"
  }
  assert {
    condition     = nonsensitive(aws_lambda_function.this.environment[0].variables) == tomap({ PRODPIN_MODE = "enforce", PRODPIN_POLICY_TEXT = "version: 1", TOKEN = "x" })
    error_message = "the policy travels in a variable"
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.missed_runs.period * aws_cloudwatch_metric_alarm.missed_runs.evaluation_periods <= 604800
    error_message = "CloudWatch looks back a week at most"
  }
}

run "a_key_signs_the_ledger" {
  command = plan
  variables {
    ledger_key_arn = "arn:aws:kms:eu-west-1:111122223333:key/signs"
  }
  assert {
    condition     = nonsensitive(aws_lambda_function.this.environment[0].variables).PRODPIN_LEDGER_KEY == "arn:aws:kms:eu-west-1:111122223333:key/signs"
    error_message = "the function signs with the key that it is given"
  }
}

run "messages_are_read_where_they_lie" {
  command = plan
  variables {
    queue_arns = ["arn:aws:sqs:eu-west-1:111122223333:bundles"]
    topic_arns = ["arn:aws:sns:eu-west-1:111122223333:bundles"]
  }
  assert {
    condition     = aws_lambda_event_source_mapping.queue["arn:aws:sqs:eu-west-1:111122223333:bundles"].function_response_types == toset(["ReportBatchItemFailures"])
    error_message = "without it an answer makes the queue forget what was not understood"
  }
  assert {
    condition     = nonsensitive(aws_lambda_function.this.environment[0].variables).PRODPIN_REPORT_BATCH_ITEM_FAILURES == "true"
    error_message = "the function must know what the mapping heeds"
  }
  assert {
    condition     = aws_sns_topic_subscription.topic["arn:aws:sns:eu-west-1:111122223333:bundles"].protocol == "lambda"
    error_message = "the topic tells the function"
  }
  assert {
    condition     = aws_lambda_permission.topics["arn:aws:sns:eu-west-1:111122223333:bundles"].source_arn == "arn:aws:sns:eu-west-1:111122223333:bundles"
    error_message = "and only that topic may"
  }
}

run "no_events_no_rules" {
  command = plan
  variables {
    ecr_events = false
  }
  assert {
    condition     = length(aws_cloudwatch_event_rule.this) == 0 && length(aws_lambda_permission.rules) == 0
    error_message = "nothing may invoke it but the schedule"
  }
}

run "a_policy_that_does_not_fit_is_refused_before_lambda_does" {
  command = plan
  variables {
    policy = join("", [for number in range(1024) : "wxyz"])
  }
  expect_failures = [var.policy]
}

run "only_modes_that_exist" {
  command = plan
  variables {
    mode = "release"
  }
  expect_failures = [var.mode]
}

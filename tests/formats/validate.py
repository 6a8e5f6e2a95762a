"""Judges sample reports by known consumers of each format: validate.py DIRECTORY

Every file FORMAT is known by its ending. Says how many it judged of each, so that none can pass by being absent.
"""

import base64
import collections
import json
import pathlib
import sys

import botocore.session
import botocore.validate
import junitparser
from google.protobuf import json_format
from in_toto_attestation.v1.statement import Statement
import in_toto_attestation.v1.statement_pb2 as statement_pb2
from prometheus_client.parser import text_string_to_metric_families
from py_ocsf_models.events.findings.compliance_finding import ComplianceFinding
from sarif import loader as sarif_loader


def ocsf(path):
    """Amazon's and others' model of the OCSF schema."""
    for line in path.read_text().splitlines():
        event = json.loads(line)
        ComplianceFinding(**event)
        assert event["class_uid"] == 2003 and event["type_uid"] == 200300 + event["activity_id"], event


def asff(path):
    """The request that the AWS SDK would refuse to send, or send."""
    operation = botocore.session.get_session().get_service_model("securityhub").operation_model("BatchImportFindings")
    validator = botocore.validate.ParamValidator()
    for line in path.read_text().splitlines():
        batch = json.loads(line)
        report = validator.validate(batch, operation.input_shape)
        assert not report.has_errors(), report.generate_report()
        assert 1 <= len(batch["Findings"]) <= 100
        for finding in batch["Findings"]:
            assert len(finding["Title"]) <= 256 and len(finding["Description"]) <= 1024, finding
            assert len(finding["Resources"][0]["Id"]) <= 512 and len(finding["Id"]) <= 512, finding


def junit(path):
    suites = junitparser.JUnitXml.fromfile(str(path))
    cases = [case for suite in suites for case in suite]
    results = [result for case in cases for result in case.result]
    assert suites.tests == len(cases), (suites.tests, len(cases))
    assert suites.failures == sum(isinstance(each, junitparser.Failure) for each in results)
    assert suites.errors == sum(isinstance(each, junitparser.Error) for each in results)


def prometheus(path):
    families = list(text_string_to_metric_families(path.read_text()))
    names = [family.name for family in families]
    assert len(names) == len(set(names)), "a metric's samples are apart"
    assert all(family.documentation and family.type == "gauge" for family in families)
    assert {"prodpin_run_complete", "prodpin_findings", "prodpin_services"} <= set(names)
    for family in families:
        seen = [tuple(sorted(sample.labels.items())) for sample in family.samples]
        assert len(seen) == len(set(seen)), f"{family.name} has a sample twice"


def attestation(path):
    envelope = json.loads(path.read_text())
    assert envelope["payloadType"] == "application/vnd.in-toto+json" and envelope["signatures"][0]["sig"]
    payload = json.loads(base64.b64decode(envelope["payload"]))
    statement = Statement.copy_from_pb(json_format.ParseDict(payload, statement_pb2.Statement()))
    statement.validate()


def sarif(path):
    """What a viewer makes of it; the schema itself is judged by another tool."""
    results = sarif_loader.load_sarif_file(str(path)).get_results()
    assert all(result["ruleId"] and result["partialFingerprints"] for result in results)
    rules = json.loads(path.read_text())["runs"][0]["tool"]["driver"]["rules"]
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in results)


JUDGES = [ocsf, asff, junit, prometheus, attestation, sarif]


def main(directory):
    judged = collections.Counter()
    for judge in JUDGES:
        for path in sorted(pathlib.Path(directory).glob(f"*.{judge.__name__}")):
            try:
                judge(path)
            except Exception as error:
                sys.exit(f"{path.name}: {type(error).__name__}: {str(error)[:2000]}")
            judged[judge.__name__] += 1
    for judge in JUDGES:
        if not judged[judge.__name__]:
            sys.exit(f"no {judge.__name__} to judge in {directory}")
        print(f"{judge.__name__}: {judged[judge.__name__]} files hold")


if __name__ == "__main__":
    main(sys.argv[1])

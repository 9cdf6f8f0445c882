"""The soak report says what the tests recorded, and no more."""

from xml.etree import ElementTree as ET

from scripts import soak_report

REPORT = """<testsuites><testsuite>
<testcase classname="tests.soak.test_leaks" name="test_memory" time="12.34">
  <properties><property name="growth per 100,000 calls" value="0.4 MiB"/><property name="a|b" value="1"/>
  <property name="table: by kind" value="[[&quot;kind&quot;, &quot;calls&quot;], [&quot;a|b&quot;, 3]]"/>
  <property name="more" value="2"/></properties>
</testcase>
<testcase classname="tests.soak.test_leaks" name="test_files" time="1"><failure message="x">trace</failure></testcase>
<testcase classname="tests.soak.test_faults" name="test_all" time="0"><skipped message="no"/></testcase>
<testcase classname="" name="tests.soak.test_broken" time="0"><error message="x">trace</error></testcase>
</testsuite></testsuites>"""


def test_the_report_prints_outcomes_figures_and_tables() -> None:
    found = list(soak_report.results(ET.fromstring(REPORT)))  # noqa: S314 - the text above
    page = soak_report.markdown(found, {"Date": "2026-01-02", "Commit": "abc"})
    assert page.splitlines() == [
        "# Soak of 2026-01-02, commit abc",
        "",
        "- Date: 2026-01-02",
        "- Commit: abc",
        "",
        "| test | outcome | seconds |",
        "|---|---|---|",
        "| test_leaks::test_memory | passed | 12.3 |",
        "| test_leaks::test_files | failure | 1.0 |",
        "| test_faults::test_all | skipped | 0.0 |",
        "| tests.soak.test_broken | error | 0.0 |",
        "",
        "## test_leaks::test_memory",
        "",
        "| figure | value |",
        "|---|---|",
        "| growth per 100,000 calls | 0.4 MiB |",
        "| a\\|b | 1 |",
        "",
        "by kind:",
        "",
        "| kind | calls |",
        "|---|---|",
        "| a\\|b | 3 |",
        "",
        "| figure | value |",
        "|---|---|",
        "| more | 2 |",
    ]

"""The names that scripts of others rely on: none may vanish, and none appears by accident."""

from __future__ import annotations

import inspect

import pytest

import bulkload
from bulkload import errors, validators
from bulkload.cli import app
from bulkload.client.studio import AsyncStudio

SUB_CLIENTS = {
    "project": {"create", "create_or_get", "get", "list", "update", "delete"},
    "cell_spec": {"create", "create_or_get", "get", "list", "update", "delete"},
    "cell_batch": {"create", "create_or_get", "get", "list", "update", "delete"},
    "cell_instance": {"create", "create_or_get", "get", "list", "update", "delete"},
    "cell_measurement": {
        *("create", "create_or_get", "create_properties", "create_or_get_properties"),
        *("create_file", "create_or_get_file", "extend", "get", "list", "list_by_project"),
        *("update", "delete", "time_series", "steps", "cycles", "steps_and_cycles"),
        *("wait_for_processing", "add_tags", "remove_tags", "list_tags", "list_files"),
        *("get_file", "download_files", "attach_raw_data", "detach_raw_data", "list_raw_data"),
    },
    "raw_data": {
        *("upload", "get", "list", "update", "delete", "download", "download_url"),
        "list_measurements",
    },
}

SOURCE = {"--layout", "--specs", "--include", "--exclude", "--go-on"}
PREPARE = {"--reader", "--dialects", "--transform", "--extra-checks"}
CHECK = {"--strict", "--no-strict", "--skip-check", "--rated-capacity", "--voltage-window"}
LIMITS = {"--workers", "--connections", "--memory"}
OPTIONS = {
    "demo": {"--folder"},
    "studio": {"--data", "--host", "--port", "--port-file", "--latency", "--processing"},
    "plan": SOURCE | PREPARE | {"--out"},
    "check": SOURCE | PREPARE | CHECK | LIMITS,
    "detect": {"--dialects"},
    "upload": {
        *SOURCE, *PREPARE, *CHECK, *LIMITS,
        *("--url", "--project", "--local", "--job", "--existing", "--wait", "--no-wait"),
        *("--store-steps", "--attach-raw", "--references", "--until", "--outage-limit"),
        *("--dry-run", "--summary", "--log-json", "--quiet", "--notify", "--on-end"),
    },
    "resume": LIMITS | {"--quiet", "--notify", "--on-end"},
    "retry": LIMITS | {"--transform", "--skip-check", "--reader", "--dialects", "--as-planned"} | {
        "--cause", "--existing", "--wait", "--no-wait", "--quiet"},
    "account": {"--out"},
    "accept": {"--cause", "--reason", "--undo"},
    "status": {"--list"},
    "verify": {"--sample", "--all", "--seed", "--sources"},
    "pack": {"--out"},
    "rollback": {"--yes"},
    "help": set[str](),
}  # fmt: skip


def test_the_package_exports_what_it_documents() -> None:
    assert set(bulkload.__all__) == {
        "AsyncStudio",
        "BulkloadError",
        "IonworksError",
        "MeasurementProcessingError",
        "MeasurementValidationError",
        "Studio",
        "__version__",
        *("account", "check", "plan", "read", "run", "survey", "upload"),
    }
    for name in bulkload.__all__:
        assert getattr(bulkload, name) is not None


def test_the_validators_have_the_official_names() -> None:
    assert set(validators.__all__) == {
        "CAPACITY_ENERGY_INTEGRAL_TOLERANCE",
        "EIS_RESISTANCE_CAPACITY_PRODUCT",
        "MAX_INLINE_ROWS",
        "STRICT_CHECK_NAMES",
        "IssueCode",
        "MeasurementValidationError",
        "Severity",
        "ValidationIssue",
        "positive_current_is_charge",
        "validate_capacity_energy_from_current_power",
        "validate_charge_discharge_column_direction",
        "validate_consecutive_same_direction_full_steps",
        "validate_cumulative_values_reset_per_step",
        "validate_cycle_constant_within_step",
        "validate_eis_columns",
        "validate_eis_impedance_magnitude",
        "validate_eis_zim_sign",
        "validate_measurement_data",
        "validate_measurement_timing",
        "validate_minimum_points_per_step",
        "validate_ocp_columns",
        "validate_positive_current_is_discharge",
        "validate_step_capacity_within_rated",
        "validate_step_count_sequential",
        "validate_time_gaps",
        "validate_time_missing_only_on_eis_rows",
        "validate_time_monotonic",
        "validate_time_series_row_count",
        "validate_time_starts_at_zero",
        "validate_voltage_continuity",
    }


def test_the_errors_have_their_names() -> None:
    classes = {
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, Exception)
    }
    assert classes >= {
        *("BulkloadError", "TerminalError", "TransientError", "SettingsError", "PlanError"),
        *("MissingExtraError", "UnreadableError", "DiskError", "JournalError"),
        *("JournalBusyError", "IonworksError", "MeasurementValidationError"),
        *("MeasurementProcessingError", "ClientError", "AuthenticationError"),
        *("PermissionDeniedError", "ConflictError", "ExpiredUrlError", "IntegrityError"),
        *("OutageError", "UnavailableError", "UnreachableError", "AnswerLostError"),
    }


@pytest.fixture(params=["sync", "async"])
def studio(request: pytest.FixtureRequest) -> object:
    """A client of each face; neither is opened, so nothing has to be closed."""
    face = bulkload.Studio if request.param == "sync" else AsyncStudio
    return face("key", "http://127.0.0.1:9", "project")


@pytest.mark.parametrize("name", SUB_CLIENTS)
def test_both_studios_have_the_sub_clients_and_their_calls(studio: object, name: str) -> None:
    sub_client = getattr(studio, name)
    missing = {call for call in SUB_CLIENTS[name] if not callable(getattr(sub_client, call, None))}
    assert missing == set()


def test_both_studios_have_their_own_calls(studio: object) -> None:
    closes = {"close"} if isinstance(studio, bulkload.Studio) else {"aclose"}
    for call in {"whoami", "health_check", "resolve_measurement"} | closes:
        assert callable(getattr(studio, call))


@pytest.mark.parametrize("command", OPTIONS)
def test_no_option_of_a_command_vanishes(command: str) -> None:
    found = {name for one in app[command].assemble_argument_collection() for name in one.names}
    assert OPTIONS[command] <= found


def test_no_command_vanishes() -> None:
    assert {*OPTIONS, "journal"} <= set(app)
    assert "check" in set(app["journal"])

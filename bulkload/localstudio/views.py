"""How records look to a client."""

from __future__ import annotations

from typing import Any, Final

from bulkload.localstudio.store import StoredRecord
from bulkload.localstudio.studio import StudioState

COMPONENT_SLOTS: Final = ("anode", "cathode", "electrolyte", "separator", "case")


def _common(studio: StudioState, record: StoredRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "name": record.name,
        "organization_id": studio.organization_id,
        "created_by": studio.user_id,
        "created_by_email": studio.email,
        "created_at": record.created_at,
        "updated_at": record.updated_at,
    }


def project_view(studio: StudioState, record: StoredRecord) -> dict[str, Any]:
    """Show a project."""
    return {**record.fields, **_common(studio, record)}


def specification_view(studio: StudioState, record: StoredRecord, *, full: bool) -> dict[str, Any]:
    """Show a specification, with its components nested or as ids."""
    fields = record.fields
    shown = {
        "form_factor": None,
        "manufacturer": None,
        "ratings": {},
        "properties": None,
        "source": None,
        "notes": None,
        **fields,
        **_common(studio, record),
        "project_id": record.project,
    }
    for slot in COMPONENT_SLOTS:
        component = fields.get(slot)
        shown[f"{slot}_id"] = component["id"] if component else None
        if not full:
            shown.pop(slot, None)
    if full:
        shown["instance_ids"] = studio.store.children(record.id, "cell_instance")
    return shown


def batch_view(studio: StudioState, record: StoredRecord) -> dict[str, Any]:
    """Return a batch as the API shows it."""
    return {
        "notes": None,
        "date_manufactured": None,
        "properties": None,
        **record.fields,
        **_common(studio, record),
        "cell_specification_id": record.scope,
        "project_id": record.project,
        "instance_count": studio.store.ref_count(record.id),
    }


def instance_view(
    studio: StudioState, record: StoredRecord, *, full: bool = False
) -> dict[str, Any]:
    """Show a cell; the single read also names its measurements."""
    batch = None if record.ref is None else studio.store.get("cell_batch", record.ref)
    shown = {
        "date_manufactured": None,
        "measured_properties": None,
        "notes": None,
        **record.fields,
        **_common(studio, record),
        "cell_specification_id": record.scope,
        "batch_id": record.ref,
        "batch_name": None if batch is None else batch.name,
    }
    if full:
        shown["measurement_ids"] = studio.store.children(record.id, "cell_measurement")
    return shown


def measurement_view(studio: StudioState, record: StoredRecord) -> dict[str, Any]:
    """Show a measurement."""
    return {
        "notes": None,
        "protocol": None,
        "protocol_id": None,
        "test_setup": None,
        "start_time": None,
        "end_time": None,
        "tags": [],
        "step_labels_validated": False,
        "properties": None,
        "file_metadata": None,
        "estimated_end_time": None,
        "estimated_end_time_note": None,
        "estimated_end_time_calculated_at": None,
        **record.fields,
        **_common(studio, record),
        "cell_instance_id": record.scope,
        "channel_id": record.ref,
        "processing_status": record.status,
        "processing_error": record.error,
    }


def raw_data_view(_studio: StudioState, record: StoredRecord) -> dict[str, Any]:
    """Show a raw file."""
    return {
        **record.fields,
        **_common(_studio, record),
        "project_id": record.project,
    }


def equipment_view(studio: StudioState, record: StoredRecord) -> dict[str, Any]:
    """Show a site, cycler or channel."""
    shown = {**record.fields, **_common(studio, record)}
    if record.kind != "site":
        shown["project_id"] = record.project
        shown[{"cycler": "site_id", "channel": "cycler_id"}[record.kind]] = record.scope
    if record.kind == "channel":
        shown.setdefault("out_of_commission", False)
    return shown


def protocol_view(studio: StudioState, record: StoredRecord) -> dict[str, Any]:
    """Show a saved protocol."""
    return {**record.fields, **_common(studio, record), "project_id": record.project}

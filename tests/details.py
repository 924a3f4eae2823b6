"""The current details of a workflow, as the Temporal UI asks for them."""

from typing import Any

from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import WorkflowHandle


async def details(handle: WorkflowHandle[Any, Any]) -> str:
    """Give them; needs a worker."""
    found: WorkflowMetadata = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    return str(found.current_details)

"""Lets the SDK download its dev server, in a process of its own.

`python -m tools.stage.devserver.download FOLDER VERSION`
"""

import asyncio
import sys

from temporalio.testing import WorkflowEnvironment

from process import leave


async def _download(folder: str, version: str) -> int:
    try:
        server = await WorkflowEnvironment.start_local(download_dest_dir=folder, dev_server_download_version=version)
    except RuntimeError as error:
        print(str(error).splitlines()[0].removeprefix("Failed starting Temporal dev server: "))
        return 1
    await server.shutdown()
    return 0


if __name__ == "__main__":
    leave(asyncio.run(_download(*sys.argv[1:3])))

"""Run by itself: what LiteLLM makes of the documents at these addresses, each as in a program of its own.

Prints one JSON object for each: where its list came from, what it says of the model ``name`` and what a call costs
there, or the error that importing or asking ended with. Importing what LiteLLM imports takes longer than reading a
list, so that is done once; each document is then read by the package's own start, anew, in a child.
"""

import importlib
import json
import os
import sys


def told(name: str) -> dict[str, object]:
    said: dict[str, object] = {}
    try:
        litellm = importlib.reload(sys.modules["litellm"])
    except Exception as error:  # noqa: BLE001
        return {"import": type(error).__name__}
    read = importlib.import_module("litellm.litellm_core_utils.get_model_cost_map")
    said["source"] = read.get_model_cost_map_source_info()["source"]
    said["models"] = len(litellm.model_cost)
    said["marker"] = "marker" in litellm.model_cost
    try:
        said["provider"] = litellm.get_llm_provider(name)[1]
        said["info"] = dict(litellm.get_model_info(name))
        said["cost"] = litellm.cost_per_token(model=name, prompt_tokens=1000, completion_tokens=1000)
        said["fits"] = (said["info"]["max_input_tokens"] or 10) > 5
    except Exception as error:  # noqa: BLE001
        said["error"] = type(error).__name__
    return said


def main() -> None:
    name, *addresses = sys.argv[1:]
    importlib.import_module("litellm")
    os.environ.pop("LITELLM_LOCAL_MODEL_COST_MAP")
    for address in addresses:
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            os.environ["LITELLM_MODEL_COST_MAP_URL"] = address
            print(json.dumps(told(name), default=str), flush=True)
            os._exit(0)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()

# Tells what tasks did, or would do, as a line of JSON each. It says nothing of tasks whose results are not to be logged.
import json
import os

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: roadbed
type: aggregate
short_description: tells the platform what tasks did
description: [Writes a line of JSON for each task of each host.]
"""

MOST = 32 * 1024  # characters of a text


# The values of the stack's secrets, the longest first: what is told is shown to reviewers and policies.
HIDE = sorted((os.environ.get(n, "") for n in os.environ.get("ROADBED_HIDE", "").split()), key=len, reverse=True)


def hidden(text):
    for secret in HIDE:
        if len(secret) >= 4:
            text = text.replace(secret, "(secret)")
    return text


def cut(text, most):
    """What hides secrets looks for one that was cut in its middle by the mark."""
    text = hidden(text)
    return text if len(text) <= most else text[:most] + "…"


def short(value):
    if isinstance(value, str):
        value = hidden(value)
        return value if len(value) <= MOST else value[:MOST] + "\n(cut short)"
    if value is None or isinstance(value, (bool, int, float)):
        return value
    text = hidden(json.dumps(value, default=str, sort_keys=True))
    return json.loads(text) if len(text) <= MOST else text[:MOST] + " (cut short)"


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "roadbed"

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.to = open(os.environ["ROADBED_TOLD"], "a", encoding="utf-8")
        self.play = ""
        self.why = {}  # by host, of the last task that failed on it

    def tell(self, **what):
        self.to.write(json.dumps(what, default=str) + "\n")
        self.to.flush()

    def v2_playbook_on_play_start(self, play):
        self.play = play.get_name().strip()

    def task(self, result, status):
        try:
            self.tell_task(result, status)
        except Exception as e:  # a task that is not told would be taken for one that does nothing
            name = cut(result._task.get_name().strip(), 500)
            self.tell(host=result._host.get_name(), task=name, status=status, changed=True, checked=False, message=cut(str(e), 2000))

    def tell_task(self, result, status):
        told, task = result._result, result._task
        items = [told]
        if isinstance(told.get("results"), list):
            items = [i for i in told["results"] if isinstance(i, dict)]
        diffs, checked = [], True
        for item in items:
            diff = item.get("diff") or []
            for d in diff if isinstance(diff, list) else [diff]:
                if not isinstance(d, dict):
                    continue
                if "prepared" in d:
                    diffs.append({"header": "", "before": None, "after": short(d["prepared"])})
                elif "before" in d or "after" in d:
                    header = item.get("path") or item.get("dest") or d.get("before_header") or ""
                    header = header or (item.get("invocation") or {}).get("dest") or d.get("after_header") or ""
                    diffs.append({"header": cut(str(header), 500), "before": short(d.get("before")), "after": short(d.get("after"))})
            # What its "when" leaves out says so; else a module is skipped that can't tell what it would do.
            if item.get("skipped") or item is told and status == "skipped":
                checked = checked and any(name in item for name in ("skip_reason", "skipped_reason", "false_condition"))
        if "censored" in told and status == "skipped":
            checked = bool(task.when)
        self.tell(
            host=result._host.get_name(), play=self.play, task=cut(task.get_name().strip(), 500), action=str(task.action),
            role=task._role.get_name() if task._role else "", status=status, changed=bool(told.get("changed")),
            checked=checked, diff=diffs[:100], message="" if status == "ok" else cut(str(told.get("msg", "")), 2000),
        )

    def v2_runner_on_ok(self, result):
        self.task(result, "ok")

    def failed(self, result, what):
        told = result._result
        items = told.get("results") if isinstance(told.get("results"), list) else []
        items = [i for i in items if isinstance(i, dict) and i.get("failed") and i.get("msg")]
        said = str((items[0] if items else told).get("msg") or "").strip()
        host = result._host.get_name()
        self.why[host] = what.format(host=host, task=cut(result._task.get_name().strip(), 500)) + (": " + said if said else "")

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self.task(result, "ignored" if ignore_errors else "failed")
        if not ignore_errors:
            self.failed(result, 'the task "{task}" fails on {host}')

    def v2_runner_on_skipped(self, result):
        self.task(result, "skipped")

    def v2_runner_on_unreachable(self, result):
        self.task(result, "unreachable")
        self.failed(result, "{host} can't be reached")

    def v2_playbook_on_stats(self, stats):
        self.tell(stats={
            name: dict(getattr(stats, name))
            for name in ("processed", "ok", "changed", "failures", "dark", "skipped", "rescued", "ignored")
        })
        # A host on which a task has failed and was rescued has not failed.
        failed = [h for h in self.why if stats.failures.get(h) or stats.dark.get(h)]
        if failed:
            with open(os.path.join(os.environ["ROADBED_WORK"], "why"), "w", encoding="utf-8") as f:
                f.write(cut(hidden(self.why[failed[0]]).replace("\n", " "), 1000))
        self.to.close()

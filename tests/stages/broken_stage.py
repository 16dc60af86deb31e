#!/usr/bin/python3
"""A stage in Python that breaks one rule of the link: broken_stage.py RULE.

It is weft_stage.py with one thing changed, so what a conformance run says of
it is about that one thing. `broken_stage.py --list` names the rules.
"""

import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pass_stage  # noqa: E402
import weft_branches  # noqa: E402
import weft_contracts as wc  # noqa: E402
import weft_stage  # noqa: E402
from weft_branches import ALERT, BEAT, HELLO, RESET, SETTLE, WELCOME, WORKER  # noqa: E402
from weft_stage import Link, Stage  # noqa: E402

reads = "alert.v1"
GOLDEN = wc.AlertV1(survey="ztf", schema="4.02", alert_id=1, okind=1,
                    object_id="golden", night=1, t_obs=60000.0, ra=1.0,
                    dec=1.0, band=6, flux=1.0, flux_err=1.0, trig=0,
                    points=wc.PointsV1())


def function(alert):
    if not alert["alert.v1"].survey:
        raise ValueError("no survey")
    return wc.FeaturesV1(set=1, values=[])


say, take, accept = Link.say, Link.take, Stage.accept


def done():
    """no `done`: it is 0 for ever"""
    Link.done = property(lambda self: 0, lambda self, value: None)


def session():
    """settles in a session that nobody gave"""
    def wrong(self, kind, body=b""):
        if kind != SETTLE:
            return say(self, kind, body)
        real, self.session = self.session, self.session ^ 2
        sent = say(self, kind, body)
        self.session = real
        return sent
    Link.say = wrong


def twice():
    """settles everything twice"""
    Link.say = lambda self, kind, body=b"": say(self, kind, body) and (
        kind != SETTLE or say(self, kind, body))


def not_held():
    """settles an alert that it never got"""
    pack = weft_stage.pack_runs
    weft_stage.pack_runs = lambda told: pack(
        [*told, (told[-1][0] + 5000, told[-1][1])])


def window():
    """promises its whole window to each upstream"""
    def share(self):
        for link in self.links.values():
            if link.session and link.echo == link.version and \
                    link.limit != self.window:
                link.before, link.limit = link.limit, self.window
                link.version += 1
    Stage.share = share


def limit_echo():
    """changes its limit again before the last change is echoed"""
    def share(self):
        for link in self.links.values():
            if link.session:
                link.limit = 200 + link.version % 2
                link.version += 1
    Stage.share = share


def limit_version():
    """another limit under the same version"""
    def wrong(self, kind, body=b""):
        real, self.limit = self.limit, self.limit and self.limit - (
            kind == SETTLE)
        sent = say(self, kind, body)
        self.limit = real
        return sent
    Link.say = wrong


def limit():
    """never has a window"""
    Stage.share = lambda self: None


def beat():
    """silent under load: no beat, and work without a pause"""
    global function
    Link.say = lambda self, kind, body=b"": kind == BEAT or say(
        self, kind, body)
    Stage.work_for = 60

    def slow(alert):
        time.sleep(0.05)
        return wc.FeaturesV1(set=1, values=[])
    function = slow
    share = Stage.share

    def tell(self):  # the window is told, by a frame that is not missed
        share(self)
        for link in self.links.values():
            if link.session and link.said != link.version:
                say(link, BEAT)
    Stage.share = tell


def contract():
    """reads a version that does not exist"""
    global reads
    reads = "alert.v9"


def frame_size():
    """a header of 9,000 bytes"""
    Link.say = lambda self, kind, body=b"": say(
        self, kind, body + bytes(9000) if kind == SETTLE else body)


def header():
    """a reserved byte that is not 0"""
    class Head:
        @staticmethod
        def pack(*fields):
            head = bytearray(WORKER.pack(*fields))
            head[6] = 1
            return bytes(head)
    weft_stage.WORKER = Head


def reset():
    """no answer to RESET"""
    Link.take = lambda self, frames, kind, *rest: kind == RESET or take(
        self, frames, kind, *rest)


def foreign_reset():
    """obeys a RESET of any session"""
    def any_session(self, frames, kind, suspect, session, *rest):
        take(self, frames, kind, suspect,
             self.session if kind == RESET else session, *rest)
    Link.take = any_session


def nonce():
    """listens to a WELCOME of any nonce"""
    def any_nonce(self, frames, kind, suspect, session, echo, attempt, seq,
                  body):
        if kind == WELCOME:
            body = (self.nonce, *body[1:])
        take(self, frames, kind, suspect, session, echo, attempt, seq, body)
    Link.take = any_nonce


def greeting():
    """waits for ever for the answer to its HELLO"""
    judge = Link.judge
    Link.judge = lambda self, now: self.state == "greeting" or judge(self, now)


def isolation():
    """a suspect run outside isolation"""
    Stage.accept = lambda self, alert, suspect: accept(self, alert, False)


def canary():
    """rejects everything, and no canary before its verdicts"""
    global function

    def reject(alert):
        raise ValueError("no")
    function = reject

    def returned(self, alert, code, reason, section):
        alert.link.done = max(alert.link.done, alert.seq)
        self.reject(alert, code, reason)
        self.release(alert)
    Stage.returned = returned


def outcome():
    """keeps every seventh alert for ever"""
    finish = Stage.finish
    Stage.finish = lambda self, alert: alert.seq % 7 == 0 or finish(
        self, alert)


def largest():
    """says that it can receive more than it can"""
    prepare = weft_stage.prepare

    def small(*arguments):
        sock = prepare(*arguments)
        sock.maxmsgsize = 60000
        return sock
    weft_stage.prepare = small


def malformed():
    """goes on after what is no header"""
    end = Link.end
    Link.end = lambda self, state: end(self, state) if state == "idle" or \
        self.state != "live" else None


def refused():
    """says HELLO again at once after REFUSE"""
    end = Link.end

    def eager(self, frames, kind, *rest):
        take(self, frames, kind, *rest)
        if self.state == "refused":
            end(self, "idle")
    Link.take = eager


def custody():
    """settles before what is below has settled"""
    Stage.finish_all = Stage.finish

    def submit(self, alert, frames):
        alert.open = 99
        for branch, queue in self.queues.items():
            queue.append(weft_branches.Copy(alert, frames, branch))
        self.stage.finish(alert)
    weft_branches.Branches.submit = submit


def worst():
    """the best outcome of the branches goes up"""
    finish = Stage.finish

    def best(self, alert):
        alert.worst = 0
        finish(self, alert)
    Stage.finish = best


def forward():
    """writes the frames of others anew"""
    submit = weft_branches.Branches.submit

    def rewritten(self, alert, frames):
        submit(self, alert, [frames[0], frames[1] + b"\xc0", *frames[2:]])
    weft_branches.Branches.submit = rewritten


def section():
    """a section that does not keep its contract"""
    global function
    function = lambda alert: pass_stage.Section(  # noqa: E731
        b"\x81\xa8contract\xabfeatures.v1")


BREAKS = (done, session, twice, not_held, window, limit_echo, limit_version,
          limit, beat, contract, frame_size, header, reset, foreign_reset,
          nonce, greeting, isolation, canary, outcome, largest, malformed,
          refused, custody, worst, forward, section)

if __name__ == "__main__":
    names = {f.__name__: f for f in BREAKS}
    if "--list" in sys.argv:
        print("\n".join(f"{n:14s} {f.__doc__}" for n, f in names.items()))
        sys.exit(0)
    if len(sys.argv) > 1 and sys.argv[1] in names:
        os.environ["WEFT_BREAK"] = sys.argv.pop(1)
    if os.environ.get("WEFT_BREAK"):
        names[os.environ["WEFT_BREAK"]]()
    weft_stage.main("broken", function, reads, "features.v1",
                    [GOLDEN])

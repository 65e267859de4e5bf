"""What `status` says, in the customer's language: English and Chinese. Log text, names and numbers stay as they are.

Promises: every word is there in both (a test compares them); a language that is not known is English.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Literal

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")

WORDS: dict[str, dict[Language, str]] = {
    "headquarters": {"en": "Headquarters: {state}", "zh": "总部：{state}"},
    "headquarters_to": {"en": "Headquarters: {state} to {endpoint}", "zh": "总部：{state}，地址 {endpoint}"},
    "site": {"en": "site {site}, agent {agent}", "zh": "现场 {site}，代理 {agent}"},
    "certificate": {"en": "the certificate is good until {time}", "zh": "证书有效期至 {time}"},
    "renewal_due": {
        "en": "the certificate is due for renewal; this is done by itself",
        "zh": "证书需要续期，代理会自动完成",
    },
    "contact": {"en": "last took something {ago} ago ({time})", "zh": "{ago}前最后一次收到数据（{time}）"},
    "no_contact": {"en": "never took anything yet", "zh": "尚未收到过任何数据"},
    "clock": {
        "en": "this host's clock differs from headquarters' by {seconds} s; set it right (chrony, ntp)",
        "zh": "本机时钟与总部相差 {seconds} 秒，请校准（chrony、ntp）",
    },
    "observing": {"en": "Observing: {state}", "zh": "监测：{state}"},
    "file": {"en": "{log}: {path}, {bytes} bytes to read", "zh": "{log}：{path}，待读 {bytes} 字节"},
    "more": {"en": "and {count} more; --json has all", "zh": "另有 {count} 项，--json 可列出全部"},
    "probe": {"en": "probe {name}: {state} ({detail})", "zh": "探测 {name}：{state}（{detail}）"},
    "component": {"en": "component {name}: version {version}", "zh": "组件 {name}：版本 {version}"},
    "no_version": {
        "en": "component {name}: version unknown ({why})",
        "zh": "组件 {name}：版本未知（{why}）",
    },
    "good": {"en": "good", "zh": "正常"},
    "bad": {"en": "BAD", "zh": "异常"},
    "unknown": {"en": "unknown", "zh": "未知"},
    "waits_for_room": {
        "en": "reading waits for room in the spool; nothing is lost, the log files hold what is to come",
        "zh": "缓存已满，暂停读取；不会丢失数据，日志文件保留着未读内容",
    },
    "remote": {
        "en": "runs version {version} of headquarters' configuration",
        "zh": "正在使用总部下发的配置，版本 {version}",
    },
    "on_trial": {"en": "(on trial)", "zh": "（试运行）"},
    "sent": {"en": "What left this host, today and in all:", "zh": "离开本机的数据（今日 / 累计）："},
    "held": {"en": "What waits here: {count} observations", "zh": "在本机等待发送：{count} 条"},
    "held_since": {
        "en": "What waits here: {count} observations, the oldest for {ago}",
        "zh": "在本机等待发送：{count} 条，最早的已等待 {ago}",
    },
    "spool": {"en": "{used} of {most} in use on the disk ({level})", "zh": "磁盘占用 {used}，上限 {most}（{level}）"},
    "dropped": {"en": "What was dropped, and why, today and in all:", "zh": "被丢弃的数据及原因（今日 / 累计）："},
    "nothing_dropped": {"en": "Nothing was dropped.", "zh": "没有丢弃任何数据。"},
    "shed": {"en": "given up for want of room or for age: {kind}", "zh": "因空间不足或过期而放弃：{kind}"},
    "refused": {"en": "refused by headquarters for good: {kind}", "zh": "被总部永久拒收：{kind}"},
    "gap": {"en": "missing: {kind}", "zh": "缺失：{kind}"},
    "repeated": {
        "en": "told as a count alone, because the same came too often: {kind}",
        "zh": "同类过多，只上报数量：{kind}",
    },
    "redacted": {
        "en": "Taken out before anything was stored, today and in all:",
        "zh": "存储前已脱敏（今日 / 累计）：",
    },
    "nothing_redacted": {"en": "Nothing had to be taken out.", "zh": "没有需要脱敏的内容。"},
    "stays": {
        "en": "Log records below the configured severity are never stored or sent.",
        "zh": "低于所配置严重级别的日志不会存储，也不会发送。",
    },
    "limits": {
        "en": "Takes {memory} of {memory_max} MB memory, {cpu} of {cpu_max} % of a core, {disk} of {disk_max} MB disk",
        "zh": "占用：内存 {memory}/{memory_max} MB，单核 CPU {cpu}/{cpu_max} %，磁盘 {disk}/{disk_max} MB",
    },
    "step_sparing": {
        "en": "close to its limit of {because}: samples are taken a third as often; raise it under [limits]",
        "zh": "接近{because}上限：采样频率降为三分之一；可在 [limits] 中调高",
    },
    "step_lean": {
        "en": "close to its limit of {because}: reading goes on in pauses; raise it under [limits]",
        "zh": "接近{because}上限：间歇读取；可在 [limits] 中调高",
    },
    "step_paused": {
        "en": "at its limit of {because}: reading waits, the log files hold what is to come; raise it under [limits]",
        "zh": "达到{because}上限：暂停读取，日志文件保留着未读内容；可在 [limits] 中调高",
    },
    "because_memory": {"en": "memory", "zh": "内存"},
    "because_cpu": {"en": "processor time", "zh": "处理器"},
    "confinement": {"en": "Confinement of {name}: {state} ({detail})", "zh": "{name} 的权限限制：{state}（{detail}）"},
    "silent": {
        "en": "not running; last heard of {time}, {state}",
        "zh": "未运行；最后一次消息 {time}，{state}",
    },
    "never": {
        "en": "never started; start the agent with `sitewarden-agent run`",
        "zh": "从未启动；用 `sitewarden-agent run` 启动代理",
    },
    "outbox_hint": {
        "en": "The very records: sitewarden-agent status --outbox",
        "zh": "查看具体记录：sitewarden-agent status --outbox",
    },
    "outbox_empty": {"en": "The outbox is empty.", "zh": "发件箱为空。"},
    "outbox_next": {
        "en": "More: sitewarden-agent status --outbox --after {cursor}",
        "zh": "下一页：sitewarden-agent status --outbox --after {cursor}",
    },
    "unreadable": {
        "en": "a record of another version of the agent; it cannot be shown",
        "zh": "由其他版本的代理写入的记录，无法显示",
    },
    "state_waiting": {"en": "waiting", "zh": "待发送"},
    "state_sent": {"en": "sent", "zh": "已发送"},
    "state_delivered": {"en": "delivered", "zh": "已送达"},
    "link_connecting": {"en": "connecting", "zh": "正在连接"},
    "link_connected": {"en": "connected", "zh": "已连接"},
    "link_waiting": {"en": "waiting", "zh": "等待重连"},
    "link_not enrolled": {"en": "not enrolled", "zh": "未注册"},
    "link_stopped": {"en": "stopped", "zh": "已停止"},
    "link_never started": {"en": "never started", "zh": "从未启动"},
    "observe_observing": {"en": "observing", "zh": "正在监测"},
    "observe_starting": {"en": "starting", "zh": "正在启动"},
    "observe_stopped": {"en": "stopped", "zh": "已停止"},
    "confined_confined": {"en": "confined", "zh": "已限制"},
    "confined_partly": {"en": "partly", "zh": "部分限制"},
    "confined_not confined": {"en": "not confined", "zh": "未限制"},
    "kind_logs": {"en": "log records", "zh": "日志记录"},
    "kind_samples": {"en": "blocks of samples", "zh": "采样数据块"},
    "kind_probes": {"en": "probe results", "zh": "探测结果"},
    "kind_changes": {"en": "changes", "zh": "变更"},
    "kind_outcomes": {"en": "outcomes and gaps", "zh": "操作结果与缺失说明"},
    "kind_other": {"en": "others", "zh": "其他"},
    "kind_batches": {"en": "batches", "zh": "批次"},
    "kind_observations": {"en": "observations", "zh": "观测记录"},
    "kind_secret": {"en": "secrets", "zh": "密钥与口令"},
    "kind_mail": {"en": "mail addresses", "zh": "邮箱地址"},
    "kind_phone": {"en": "phone numbers", "zh": "电话号码"},
    "kind_id": {"en": "identity numbers", "zh": "证件号码"},
    "kind_ip": {"en": "network addresses", "zh": "网络地址"},
    "kind_user": {"en": "users", "zh": "用户名"},
    "kind_card": {"en": "bank cards", "zh": "银行卡号"},
    "kind_literal": {"en": "words of your own", "zh": "自定义词语"},
    "gap_shed": {"en": "given up for want of room", "zh": "空间不足而放弃"},
    "gap_expired": {"en": "waited too long", "zh": "等待过久"},
    "gap_refused": {"en": "refused by headquarters", "zh": "被总部拒收"},
    "gap_restored": {"en": "headquarters was restored from a backup", "zh": "总部从备份恢复"},
    "gap_file_lost": {"en": "a log file went before it was read", "zh": "日志文件在读取前消失"},
    "gap_redaction": {"en": "could not be redacted, so it was not sent", "zh": "无法脱敏，因此未发送"},
    "gap_spool_lost": {"en": "the spool was damaged", "zh": "缓存损坏"},
    "days": {"en": "{count} d", "zh": "{count} 天"},
    "hours": {"en": "{count} h", "zh": "{count} 小时"},
    "minutes": {"en": "{count} min", "zh": "{count} 分钟"},
    "seconds": {"en": "{count} s", "zh": "{count} 秒"},
}


def language(chosen: str | None, environment: Mapping[str, str] = os.environ) -> Language:
    """The language that was asked for, else the one of the environment."""
    said = chosen or next((environment[key] for key in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(key)), "en")
    return "zh" if said.lower().startswith("zh") else "en"


class Speaker:
    """Says things in one language."""

    def __init__(self, chosen: Language) -> None:
        self._language: Language = chosen

    def __call__(self, key: str, **values: object) -> str:
        return WORDS[key][self._language].format(**values)

    def name(self, group: str, word: str) -> str:
        """What a word of the agent's own is called; as it is when it has no name here."""
        found = WORDS.get(f"{group}_{word}")
        return word if found is None else found[self._language]

    def span(self, seconds: float) -> str:
        for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
            if seconds >= 2 * size:
                return self(unit, count=int(seconds / size))
        return self("seconds", count=max(0, int(seconds)))

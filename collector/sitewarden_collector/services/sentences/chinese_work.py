"""What pages, mails and the desk's own notes say."""

from __future__ import annotations

WORK = (
    # A page.
    ("{} at {} ({}), first seen {}.", "{0}：{1}（{2}），首次出现于 {3}。"),
    ("Look:  sitewarden ticket show {}", "查看：sitewarden ticket show {0}"),
    ("Take:  sitewarden ticket ack {} --by YOUR-NAME", "接手：sitewarden ticket ack {0} --by 您的名字"),
    ("Look:  sitewarden ticket list --state open", "查看：sitewarden ticket list --state open"),
    ("Look:  sitewarden ticket list", "查看：sitewarden ticket list"),
    ("Look:  sitewarden risk list", "查看：sitewarden risk list"),
    ("Acknowledge: {}", "确认：{0}"),
    ("{} tickets need you; the most urgent:", "有 {0} 张工单需要您处理；最紧急的："),
    ("{} tickets need you: {}", "有 {0} 张工单需要您处理：{1}"),
    ("{} tickets need you: {} and {} more", "有 {0} 张工单需要您处理：{1} 等另外 {2} 张"),
    ("... and {} more", "……另有 {0} 张"),
    ("{} of your tickets recovered:", "您的 {0} 张工单已恢复："),
    ("recovered: {} and {} more", "已恢复：{0} 等另外 {1} 张"),
    ("recovered: {}", "已恢复：{0}"),
    # Told to managers and people on call.
    ("nobody is on call on {} from {} until {} ({})", "{0} 自 {1} 至 {2} 无人值班（{3}）"),
    ("nobody is on call on {} from {} and further ({})", "{0} 自 {1} 起一直无人值班（{2}）"),
    (
        "Fill it:  sitewarden oncall override {} PERSON --from TIME --until TIME",
        "补班：sitewarden oncall override {0} 人员 --from 时间 --until 时间",
    ),
    ("no channel reaches {}, who is on {}", "没有通道能联系到 {0}，此人在 {1} 值班"),
    ("Give one:  sitewarden oncall person set {} --road CHANNEL", "添加：sitewarden oncall person set {0} --road 通道"),
    ("{} {} of {} ends {}, on {}", "{2} 的 {0} {1} 将{3}到期，日期 {4}"),
    ("{}. Afterwards the desk counts by its default.", "{0}。此后按默认服务级别计时。"),
    ("Look:    sitewarden contract show {}", "查看：sitewarden contract show {0}"),
    ("Extend:  sitewarden contract edit {} --until DATE", "续期：sitewarden contract edit {0} --until 日期"),
    (
        "Nothing is wrong. Somebody tries whether pages reach you by this channel.",
        "没有故障。有人在测试呼叫能否经此通道送达您。",
    ),
    # Notes in the history.
    ("taken from {}", "从 {0} 收回"),
    ("{} could take it: {}", "{0} 可以接手：{1}"),
    ("{} ({} bytes)", "{0}（{1} 字节）"),
    ("taken by {}", "已由 {0} 接收"),
    ("written to the log", "已写入日志"),
    ("written to the terminal", "已写到终端"),
    ("turned off by {}", "已由 {0} 关闭"),
    ("no outcome came in time", "没有按时收到结果"),
    # Why a chart lacks what only a remote store keeps any more.
    (
        "what is not kept here any more could not be read from the remote store: {}",
        "这里不再保存的部分未能从远程存储读取：{0}",
    ),
    ("it gave no answer within {} s", "它在 {0} 秒内没有应答"),
    ("{} gave no answer within {} s", "{0} 在 {1} 秒内没有应答"),
    ("{} gave no answer ({})", "{0} 没有应答（{1}）"),
    ("{} answered with more than {} bytes", "{0} 的应答超过 {1} 字节"),
    (
        "{} does not answer as Prometheus does: check export.remote_write.read_url",
        "{0} 的应答与 Prometheus 不同：请检查 export.remote_write.read_url",
    ),
    (
        "{} answered {}: check user, password and bearer in export.remote_write",
        "{0} 应答 {1}：请检查 export.remote_write 中的 user、password 和 bearer",
    ),
    (
        "{} answered {}: it has moved; change export.remote_write.{}",
        "{0} 应答 {1}：它已移动；请修改 export.remote_write.{2}",
    ),
    ("{} answered {}: this may pass", "{0} 应答 {1}：稍后可能恢复"),
    ("{} answered {}: check export.remote_write.{}", "{0} 应答 {1}：请检查 export.remote_write.{2}"),
    # How sending to a remote store goes.
    (
        "samples reach the remote store {} s late ({}): nothing is lost while they are kept here "
        "(retention.samples_days); see `sitewarden export status`",
        "样本到达远程存储晚了 {0} 秒（{1}）：只要还保存在这里（retention.samples_days）就不会丢失；请看 "
        "`sitewarden export status`",
    ),
    (
        "the remote store did not get {} samples so far, some of them within a day: {} it refused for good ({}), among "
        "them any that were sent twice, and {} were no longer kept here when it was their turn; a store that takes late "
        "samples (Prometheus: out_of_order_time_window) refuses less; see `sitewarden export status`",
        "远程存储至今未收下 {0} 个样本，其中有些在一天之内：它彻底拒绝了 {1} 个（{2}），包括重复发送的；{3} 个轮到时"
        "这里已不再保存；接受迟到样本的存储（Prometheus：out_of_order_time_window）拒绝得更少；请看 "
        "`sitewarden export status`",
    ),
    ("it takes them too slowly", "它收得太慢"),
    ("nothing said", "没有说明"),
)

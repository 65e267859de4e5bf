"""What the collector says of its own health."""

from __future__ import annotations

HEALTH = (
    (
        "evaluation is {} s behind for {} agents: nothing is lost, but tickets are late; look in the collector's log for "
        "a rule or a batch that fails, and at the load",
        "评估落后 {0} 秒，涉及 {1} 个代理：没有丢失任何数据，但工单会延迟；请在采集器日志中查找失败的规则或批次，并查看负载",
    ),
    (
        "a notice that is due has been waiting for {} s: see `sitewarden notice list --state pending`, and look in the "
        "collector's log for its channel",
        "有一条到期的通知已等待 {0} 秒：请查看 `sitewarden notice list --state pending`，并在采集器日志中查找其渠道",
    ),
    (
        "{} notices could not be sent to anybody: see `sitewarden notice list --state parked`, mend the channel, then "
        "`sitewarden notice retry ID`",
        "有 {0} 条通知未能发给任何人：请查看 `sitewarden notice list --state parked`，修复渠道后执行 "
        "`sitewarden notice retry ID`",
    ),
    (
        "{} evaluations are parked: rules or batches that failed, while the others go on; see `sitewarden rules "
        "parked`, mend the rule or update, then `sitewarden rules retry --all`",
        "有 {0} 项评估被搁置：规则或批次失败，其余照常进行；请查看 `sitewarden rules parked`，修正规则或升级后执行 "
        "`sitewarden rules retry --all`",
    ),
    (
        "{} rules are out of force because they failed or took too long: see `sitewarden rules suspended`, mend them, "
        "then `sitewarden rules resume NAME`",
        "有 {0} 条规则因失败或耗时过长而停用：请查看 `sitewarden rules suspended`，修正后执行 "
        "`sitewarden rules resume NAME`",
    ),
    (
        "samples of {} h ago are not joined to their hours: charts of long spans lag and the database grows faster; look "
        "in the collector's log for compaction, and at parked evaluations, whose samples it leaves alone",
        "{0} 小时前的样本尚未并入整点：长时段图表滞后，数据库增长更快；请在采集器日志中查看压缩（compaction），"
        "并查看被搁置的评估，它们的样本不会被合并",
    ),
    (
        "{} webhook messages were given up: see `sitewarden webhook deliveries`, mend the receiver, then `sitewarden "
        "webhook retry NUMBER`",
        "有 {0} 条 webhook 消息已放弃：请查看 `sitewarden webhook deliveries`，修复接收方后执行 "
        "`sitewarden webhook retry NUMBER`",
    ),
    (
        "{} of {} agents were not heard of lately: look at the network before the collector, and at what it refuses; "
        "`sitewarden site list` names them",
        "{1} 个代理中有 {0} 个近来没有消息：请先检查采集器前面的网络，再看它拒绝了什么；`sitewarden site list` 会列出它们",
    ),
    (
        "only {} MiB are free where the data is: when it is full no batch is taken any more; free space there now, or "
        "move data_dir to a larger disk",
        "数据所在处仅剩 {0} MiB：一旦写满，将不再接收任何批次；请立即在那里腾出空间，或将 data_dir 移到更大的磁盘",
    ),
    (
        "{} MiB are free where the data is: free space there, move data_dir to a larger disk, or keep less ([retention])",
        "数据所在处剩余 {0} MiB：请在那里腾出空间，将 data_dir 移到更大的磁盘，或减少保留（[retention]）",
    ),
    (
        "{} writes wait for the database: acknowledgements are late; this machine or its disk is too small for its "
        "agents, `sitewarden simulate` tells what it carries",
        "有 {0} 次写入在等待数据库：确认会延迟；这台机器或其磁盘对它的代理来说太小，`sitewarden simulate` 可测出它能承载多少",
    ),
    (
        "{} of {} files are open: soon no further agent can connect; raise the limit (LimitNOFILE of the service, or "
        "ulimit -n), then restart",
        "已打开 {0} 个文件，上限 {1} 个：很快将没有代理能再连接；请提高限制（服务的 LimitNOFILE，或 ulimit -n），然后重启",
    ),
    (
        "the intermediate certificate ends in {} days, and with it every agent's: plan a new authority",
        "中间证书将在 {0} 天后到期，所有代理的证书也随之到期：请规划新的证书机构",
    ),
)

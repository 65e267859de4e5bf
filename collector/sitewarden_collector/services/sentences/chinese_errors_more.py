"""What errors say, from «there is no chart» on: what is wrong and what to do next, in the order of the alphabet."""

from __future__ import annotations

MORE_ERRORS = (
    ("there is no chart {}; there are {}", "没有图表 {0}；现有：{1}"),
    ("there is no clock {}; there are {}", "没有计时 {0}；现有：{1}"),
    (
        "there is no contact {}; `sitewarden contact list` shows those that are there",
        "没有联系人 {0}；`sitewarden contact list` 列出现有的",
    ),
    (
        "there is no contract {}; `sitewarden contract list` shows those that are there",
        "没有合同 {0}；`sitewarden contract list` 列出现有的",
    ),
    ("there is no contract {}; leave its number empty and it gets one", "没有合同 {0}；编号留空则自动生成"),
    ("there is no customer with id {}", "没有编号为 {0} 的客户"),
    (
        "there is no customer {}; `sitewarden customer list` shows those that are there",
        "没有客户 {0}；`sitewarden customer list` 列出现有的",
    ),
    (
        "there is no customer {}; `sitewarden site list` shows those that have sites",
        "没有客户 {0}；`sitewarden site list` 列出有站点的客户",
    ),
    (
        "there is no engineer {}; `sitewarden engineer list` shows them",
        "没有工程师 {0}；`sitewarden engineer list` 列出现有的",
    ),
    ("there is no file of {}; choose one of {}", "没有{0}的文件；请选择 {1} 之一"),
    ("there is no file {}; load the page anew", "没有文件 {0}；请重新加载页面"),
    ("there is no kind of ticket {}; known: {}", "没有工单类型 {0}；已知：{1}"),
    ("there is no link {}; known: {}", "没有关联 {0}；已知：{1}"),
    (
        "there is no maintenance window {}; `sitewarden maintenance list` shows those that are",
        "没有维护窗口 {0}；`sitewarden maintenance list` 列出现有的",
    ),
    (
        "there is no message {}; `sitewarden webhook deliveries` shows their numbers",
        "没有消息 {0}；`sitewarden webhook deliveries` 列出编号",
    ),
    (
        "there is no notice {}: `sitewarden notice list` shows their ids",
        "没有通知 {0}：`sitewarden notice list` 列出编号",
    ),
    (
        "there is no override {}; `sitewarden oncall show NAME` lists them",
        "没有替班 {0}；`sitewarden oncall show NAME` 列出现有的",
    ),
    (
        "there is no problem {}; `sitewarden problem list` shows those that there are",
        "没有问题 {0}；`sitewarden problem list` 列出现有的",
    ),
    ("there is no role {}; choose one of {}", "没有角色 {0}；请选择 {1} 之一"),
    (
        "there is no schedule {}; `sitewarden oncall list` shows those that there are",
        "没有排班 {0}；`sitewarden oncall list` 列出现有的",
    ),
    ("there is no scope {}; known are {}", "没有权限范围 {0}；已知：{1}"),
    (
        "there is no silence {}; `sitewarden silence list` shows those that hold now",
        "没有静默 {0}；`sitewarden silence list` 列出生效的",
    ),
    ("there is no site with id {}", "没有编号为 {0} 的站点"),
    ("there is no site {}; /sites shows those that are there", "没有站点 {0}；/sites 列出现有的"),
    (
        "there is no site {}; `GET /api/v1/sites` lists those that there are",
        "没有站点 {0}；`GET /api/v1/sites` 列出现有的",
    ),
    (
        "there is no site {}; `sitewarden site list` shows those that are there",
        "没有站点 {0}；`sitewarden site list` 列出现有的",
    ),
    (
        "there is no such calendar; `sitewarden oncall export NAME --publish` makes its address",
        "没有这个日历；用 `sitewarden oncall export NAME --publish` 生成其地址",
    ),
    ("there is no such schedule any more; the calendar shows those that there are", "该排班已不存在；日历中列出现有的"),
    (
        "there is no such time zone; write it as Europe/Berlin or Asia/Shanghai",
        "没有这个时区；请写成 Europe/Berlin 或 Asia/Shanghai",
    ),
    ("there is no task {}; `sitewarden ticket tasks` shows them", "没有任务 {0}；`sitewarden ticket tasks` 列出现有的"),
    (
        "there is no ticket {}; `sitewarden ticket list` shows those that there are",
        "没有工单 {0}；`sitewarden ticket list` 列出现有的",
    ),
    ("there is no ticket {}; look for it among the tickets", "没有工单 {0}；请在工单列表中查找"),
    (
        "there is no token {}; `sitewarden token list` shows those that are there",
        "没有令牌 {0}；`sitewarden token list` 列出现有的",
    ),
    (
        "there is no visit {}; `sitewarden ticket visit list` shows them",
        "没有上门 {0}；`sitewarden ticket visit list` 列出现有的",
    ),
    (
        "there is no webhook {}; `sitewarden webhook list` shows those that there are",
        "没有 webhook {0}；`sitewarden webhook list` 列出现有的",
    ),
    ("there is no {} {}; `sitewarden category list` shows them", "没有{0} {1}；`sitewarden category list` 列出现有的"),
    (
        "there is no {} {}; known: {}; `sitewarden category set` adds one",
        "没有{0} {1}；已知：{2}；用 `sitewarden category set` 添加",
    ),
    ("they were called in already: {}", "已召集过：{0}"),
    (
        "this Idempotency-Key was used for another request; take a new one for a new change",
        "该 Idempotency-Key 已用于另一请求；新的修改请用新的键",
    ),
    ("this account is switched off; ask an administrator", "该账号已停用；请询问管理员"),
    (
        "this cursor belongs to another listing, or to other filters; leave it out to begin anew",
        "该游标属于另一列表或另一组筛选；请去掉它重新开始",
    ),
    (
        "this cursor is none of ours; leave it out to begin at the first page",
        "该游标不是本系统给出的；请去掉它从第一页开始",
    ),
    (
        "this holds a value that no database keeps, such as NUL in a text; leave it out",
        "其中有任何数据库都无法保存的值，例如文本中的 NUL；请去掉",
    ),
    ("this is no calendar that can be read ({}); export it as .ics", "无法读取该日历（{0}）；请导出为 .ics"),
    (
        "this is not a code that can be used now; wait for the app to show the next one",
        "现在不能使用该验证码；请等待应用显示下一个",
    ),
    ("this is not shown to customers; ask the support team", "此内容不向客户显示；请询问支持团队"),
    (
        "this is not the code that the app shows now; see that the clocks are right, and try the next one",
        "这不是应用当前显示的验证码；请确认时钟正确，再试下一个",
    ),
    (
        "this is not valid TOML: {}; write it as in the agent's own file",
        "不是有效的 TOML：{0}；请按代理自己的文件格式书写",
    ),
    ("this is not your password of today", "这不是您现在的密码"),
    ("this is the password that you have already; choose another", "这就是您现有的密码；请换一个"),
    (
        "this link was used already or has expired; ask an administrator for another",
        "该链接已使用或已过期；请向管理员再要一个",
    ),
    (
        "this message is not signed: it needs webhook-id, webhook-timestamp and webhook-signature",
        "该消息没有签名：需要 webhook-id、webhook-timestamp 和 webhook-signature",
    ),
    (
        "this message was signed more than five minutes ago or ahead; set the sender's clock",
        "该消息的签名时间相差超过五分钟；请校准发送方的时钟",
    ),
    (
        "this page is out of date, or was made for another session; load it anew and try again",
        "页面已过期或属于另一会话；请重新加载后再试",
    ),
    (
        "this password is among those that are tried first; take a few words that do not belong together",
        "该密码属于最先被尝试的那些；请用几个互不相关的词",
    ),
    (
        "this password is little more than the account's name; take words that have nothing to do with it",
        "该密码与账号名称几乎相同；请用与之无关的词",
    ),
    (
        "this sign-in was not begun in this browser, or took too long; begin again",
        "此登录不是从本浏览器开始的，或用时过长；请重新开始",
    ),
    ("this sign-in was not begun in this browser; begin again", "此登录不是从本浏览器开始的；请重新开始"),
    ("this took too long; begin again with a new picture", "用时过长；请用新的图案重新开始"),
    (
        "this was sent by a page of another site; open the page here and try again",
        "此请求来自另一站点的页面；请在这里打开页面后再试",
    ),
    ("token {} is revoked already", "令牌 {0} 已被撤销"),
    (
        "token {} was spent already by agent {}: revoke that agent instead",
        "令牌 {0} 已被代理 {1} 使用：请改为撤销该代理",
    ),
    ("weekdays are 0 (Monday) to 6 (Sunday)", "星期为 0（周一）到 6（周日）"),
    ("what {} went into is merged itself: undo that merge first", "{0} 并入的工单自身已被合并：请先撤销那次合并"),
    ("whom the channels reach needs a name of at most 200 characters", "通道所联系的人须有名称，最多 200 个字符"),
    (
        "you report for yourself, now; leave reporter and reported out",
        "您是为自己、现在报告；请去掉 reporter 和 reported",
    ),
    ("your role must have a second factor; set up another one instead", "您的角色必须有第二因素；请改为设置另一个"),
    (
        "{} and {} are of two sites: link them (`sitewarden ticket link`) or open a problem",
        "{0} 和 {1} 属于两个站点：请建立关联（`sitewarden ticket link`）或开一个问题",
    ),
    (
        "{} and {} are one fault already: see `sitewarden fault show {}`",
        "{0} 和 {1} 已是同一故障：见 `sitewarden fault show {2}`",
    ),
    ("{} can be given to nobody: {}", "{0} 无法分派给任何人：{1}"),
    ("{} cannot be linked with itself", "{0} 不能与自己关联"),
    (
        "{} cannot be opened: it is damaged, or sealed under another key than the one in use; restore the key that it was written under, or the database from a backup",
        "{0} 无法打开：已损坏，或由另一密钥封存；请恢复写入时的密钥，或从备份恢复数据库",
    ),
    ("{} cannot be split from {}; what can: {}", "{0} 不能从 {1} 拆分；可以拆分的有：{2}"),
    ("{} cannot go into itself", "{0} 不能并入自己"),
    ("{} cannot go to the tracker; {} can", "{0} 不能发送到跟踪系统；{1} 可以"),
    ("{} channels are the most for one person", "一个人最多 {0} 个通道"),
    (
        "{} counts every minute and does not change; `sitewarden calendar add` makes another",
        "{0} 每分钟都计入且不可改变；用 `sitewarden calendar add` 新建一个",
    ),
    (
        "{} does not say what pauses; write REASON: TARGETS as `customer: solution resolution`, with a reason of {}",
        "{0} 没有说明暂停什么；请写成 REASON: TARGETS，例如 `customer: solution resolution`，原因为 {1}",
    ),
    ("{} goes on; end it first (`sitewarden major end`)", "{0} 仍在继续；请先结束它（`sitewarden major end`）"),
    (
        "{} has exactly this already; `sitewarden config status` shows what became of it",
        "{0} 已有完全相同的配置；`sitewarden config status` 显示其结果",
    ),
    ("{} has more than {} MiB; compress it or cut out what matters", "{0} 超过 {1} MiB；请压缩或只截取关键部分"),
    (
        "{} has no file {}; `GET /api/v1/tickets/{}` lists its files",
        "{0} 没有文件 {1}；`GET /api/v1/tickets/{2}` 列出其文件",
    ),
    (
        "{} has no layer {}; `sitewarden oncall show {}` lists them",
        "{0} 没有班层 {1}；`sitewarden oncall show {2}` 列出现有的",
    ),
    ("{} has no link `{}` with {}", "{0} 与 {2} 没有关联 `{1}`"),
    ("{} has no such file; its page lists those that it has", "{0} 没有这个文件；其页面列出现有的"),
    (
        "{} has no such visit, or nothing like {} is done with it; load it anew",
        "{0} 没有这次上门，或不能对它{1}；请重新加载",
    ),
    (
        "{} has no version {}; `sitewarden config history` lists them",
        "{0} 没有版本 {1}；`sitewarden config history` 列出全部",
    ),
    (
        "{} has no visit {}; `GET /api/v1/tickets/{}/visits` lists its visits",
        "{0} 没有上门 {1}；`GET /api/v1/tickets/{2}/visits` 列出现有的",
    ),
    (
        "{} has {} characters, at most {} are kept; attach the rest as a file",
        "{0} 有 {1} 个字符，最多保留 {2} 个；其余请作为文件附上",
    ),
    ("{} has {} of {} {} left, not {}; extend the contract first", "{0} 的 {3} 还剩 {1}/{2}，不足 {4}；请先续签合同"),
    ("{} has {} tickets above it; that is deep enough", "{0} 上面已有 {1} 张工单；层级已足够深"),
    ("{} includes no {}; `sitewarden contract edit` adds it", "{0} 不包含{1}；用 `sitewarden contract edit` 添加"),
    ("{} is an incident of {} already", "{0} 已是 {1} 的事件"),
    ("{} is another customer's than {}", "{0} 属于另一客户，而不是 {1}"),
    ("{} is another customer's; open a problem over both instead", "{0} 属于另一客户；请改为开一个跨两者的问题"),
    (
        "{} is closed: link them instead (`sitewarden ticket link`)",
        "{0} 已关闭：请改为建立关联（`sitewarden ticket link`）",
    ),
    ("{} is empty", "{0} 是空的"),
    ("{} is empty; write at least a word", "{0} 是空的；请至少写一个词"),
    ("{} is itself a part of {}", "{0} 自身是 {1} 的一部分"),
    ("{} is missing; fill it in and send the form again", "缺少 {0}；请填写后重新发送表单"),
    (
        "{} is neither a ticket's number nor a fault that was ever seen; `sitewarden fault list` and `sitewarden ticket list` show them",
        "{0} 既不是工单编号，也不是见过的故障；`sitewarden fault list` 和 `sitewarden ticket list` 列出它们",
    ),
    ("{} is neither category nor component", "{0} 既不是类别也不是组件"),
    ("{} is no category of notices; use one of {}", "{0} 不是通知类别；请用 {1} 之一"),
    ("{} is no day; write it as 2026-12-24 Christmas Eve", "{0} 不是日期；请写成 2026-12-24 Christmas Eve"),
    (
        "{} is no fault of a log: `sitewarden ticket show` says what there is to know of it",
        "{0} 不是日志故障：`sitewarden ticket show` 显示其全部信息",
    ),
    (
        "{} is no goal; write 30m, 4h, or 4h@office to count by the calendar called office",
        "{0} 不是目标；请写 30m、4h，或 4h@office 按名为 office 的日历计时",
    ),
    (
        "{} is no goal; write PRIORITY:TARGET=TIME as 1:resolution=4h@office, with a target of {}",
        "{0} 不是目标；请写成 PRIORITY:TARGET=TIME，例如 1:resolution=4h@office，目标为 {1}",
    ),
    ("{} is no incident of {}", "{0} 不是 {1} 的事件"),
    ("{} is no language to write in; it is one of {}", "{0} 不是可书写的语言；可用 {1}"),
    ("{} is no language to write to customers in; it is one of {}", "{0} 不是可写给客户的语言；可用 {1}"),
    ("{} is no length of time; write 30m, 4h, 2d or 1w", "{0} 不是时长；请写 30m、4h、2d 或 1w"),
    ("{} is no local time; write it as 2026-11-23T09:00", "{0} 不是本地时间；请写成 2026-11-23T09:00"),
    ("{} is no mail address", "{0} 不是邮件地址"),
    (
        "{} is no major incident; `sitewarden major list` shows them",
        "{0} 不是重大事件；`sitewarden major list` 列出它们",
    ),
    ("{} is no name for a file", "{0} 不能作文件名"),
    ("{} is no priority; it is 1 (the most urgent), 2, 3 or 4", "{0} 不是优先级；可为 1（最紧急）、2、3 或 4"),
    ("{} is no tier; it is one of {}", "{0} 不是级别；可为 {1}"),
    ("{} is no time of the day; write it as 09:30", "{0} 不是一天中的时间；请写成 09:30"),
    (
        "{} is no time zone; write one as Europe/Berlin or Asia/Shanghai",
        "{0} 不是时区；请写成 Europe/Berlin 或 Asia/Shanghai",
    ),
    ("{} is no time; write it as 2026-11-24T09:00", "{0} 不是时间；请写成 2026-11-24T09:00"),
    ("{} is no whole number: {}", "{0} 不是整数：{1}"),
    ("{} is not between {} and {}; look at its year", "{0} 不在 {1} 与 {2} 之间；请检查年份"),
    ("{} is not switched off", "{0} 没有停用"),
    (
        "{} is not the file that was attached (its sha256 differs); restore a backup",
        "{0} 不是当时附上的文件（sha256 不同）；请从备份恢复",
    ),
    (
        "{} is not what its name says: its content is {}; give it the right name",
        "{0} 与其名称不符：内容是 {1}；请改正名称",
    ),
    ("{} is nothing that a contract includes; it is one of {}", "{0} 不在合同所含之列；可为 {1}"),
    ("{} is nothing to be told of; it is one of {}", "{0} 不是可通知的内容；可为 {1}"),
    ("{} is open for the same fault already: go on there", "{0} 已因同一故障打开：请在那里继续"),
    ("{} is over already; nothing to end", "{0} 已结束；没有可结束的"),
    ("{} is over; begin a new one with `sitewarden silence add`", "{0} 已结束；用 `sitewarden silence add` 新建一个"),
    ("{} is switched off already", "{0} 已经停用"),
    ("{} is the last administrator; make another one first", "{0} 是最后一位管理员；请先设立另一位"),
    (
        "{} is there already; choose another name, a backup never replaces a file",
        "{0} 已存在；请换一个名称，备份从不覆盖文件",
    ),
    ("{} is {}", "{0} 处于“{1}”"),
    ("{} is {} and {} has it", "{0} 处于“{1}”，由 {2} 负责"),
    ("{} is {}: its priority says nothing any more; reopen it first", "{0} 处于“{1}”：其优先级已无意义；请先重新打开"),
    ("{} is {}: only an open ticket can be split", "{0} 处于“{1}”：只有未关闭的工单可以拆分"),
    ("{} is {}: only what is resolved can be confirmed", "{0} 处于“{1}”：只有已解决的可以确认"),
    ("{} is {}: reopen it before a visit is planned", "{0} 处于“{1}”：安排上门前请重新打开"),
    ("{} is {}: reopen it before another solution is worked on", "{0} 处于“{1}”：处理另一方案前请重新打开"),
    ("{} is {}; from there it can become {}", "{0} 处于“{1}”；可变为 {2}"),
    ("{} lies between {} and {}, not at {}", "{0} 在 {1} 与 {2} 之间，而不是在 {3}"),
    (
        "{} names nobody of {}: begin each summary with a person's name",
        "{0} 没有指明 {1} 中的任何人：每个摘要请以人名开头",
    ),
    ("{} needs {} for this: {}; ask an administrator", "{0} 为此需要{1}：{2}；请询问管理员"),
    (
        "{} stands for the collector itself wherever somebody did something; take another name",
        "{0} 在各处代表收集器自身；请换一个名称",
    ),
    ("{} was not merged into another ticket", "{0} 没有并入其他工单"),
    ("{} was over at {} already; nothing to end", "{0} 已于 {1} 结束；没有可结束的"),
    ("{} {} {} already", "{0}已经{1} {2}"),
    ("{}: files of this kind are not taken; taken are {}", "{0}：不接收此类文件；可接收 {1}"),
    ("{}: not a site of {}", "{0}：不是 {1} 的站点"),
    ("{}: {}", "{0}：{1}"),
    ("{}: {} is no date; write it as 2026-12-31", "{0}：{1} 不是日期；请写成 2026-12-31"),
    ("{}: {} is no number", "{0}：{1} 不是数字"),
    ("{}={} can not be included; it is a number of {}", "{0}={1} 不能包含；它是 {2} 的数目"),
    (
        "a move goes to PostgreSQL: name it as postgresql://USER@HOST/DATABASE",
        "只能迁移到 PostgreSQL：请写成 postgresql://USER@HOST/DATABASE",
    ),
    (
        "an earlier move into this database did not finish: `--again` wipes it and begins anew",
        "之前迁移到此数据库的操作没有完成：`--again` 会清空它并重新开始",
    ),
    (
        "another `sitewarden db move` works on this target: wait for it",
        "另一个 `sitewarden db move` 正在写入此目标：请等待其完成",
    ),
    (
        "the target is not empty; make a new database for the move, as by `createdb sitewarden`",
        "目标数据库不为空；请为迁移新建一个数据库，例如 `createdb sitewarden`",
    ),
)

# キーはどの言語でも同じです。テストが比べます。

home-title = 新しい投稿
home-description = 写真つきで投稿し、話し、フォローできるコミュニティ掲示板です。
skip = 本文へ移動
nav-main = メインメニュー
nav-timeline = タイムライン
nav-my = マイページ
nav-write = 投稿する
nav-login = ログイン
nav-signup = 登録
nav-look = 言語と表示
to-newest = 新しい投稿へ
to-older = 前の投稿を見る
to-first-comments = 最初のコメントへ
to-later-comments = 次のコメントを見る
to-more = もっと見る
to-feed = 投稿へ
list-empty = まだ投稿がありません。
people-empty = まだ誰もいません。
comments-empty = まだコメントがありません。
edited = 編集済み

time-now = たった今
time-minutes = { $n }分前
time-hours = { $n }時間前
time-days = { $n ->
    [1] 昨日
   *[other] { $n }日前
}

save = 保存
cancel = キャンセル
edit = 編集
delete = 削除
remove = 外す
email = メールアドレス
email-help = ログインに使います。ほかの人には見えません。
nickname = ニックネーム
nickname-help = 1〜30文字。みんなに見えます。
password = パスワード
password-help = 8文字以上。文にすると覚えやすく、推測されにくくなります。
signup-title = 登録
signup-button = 登録する
signup-have = アカウントをお持ちですか?
login-title = ログイン
login-button = ログイン
login-new = はじめての方は
logout = ログアウト

compose-title = 投稿する
edit-title = 投稿を編集
feed-title = タイトル
feed-content = 本文
markdown-help = **太字**、*斜体*、- リスト、> 引用、リンクが使えます (Markdown)。
photos = 写真
photos-add = 写真を追加
photos-now = この投稿の写真
photos-help = { $n ->
    [0] これ以上写真を追加できません。
   *[other] { $n }枚まで。JPEG、PNG、GIF、WebP、1枚10MBまで。
}
photo = 写真{ $n }
post = 投稿
delete-feed = 投稿を削除
delete-feed-sure = 投稿は写真やコメントとともに消え、元に戻せません。
like = いいね
comments = コメント
comments-count = コメント{ $n }件
comment = コメント
comment-new = コメントを書く
comment-send = コメントする
comment-login = ログインしてコメントする
comment-edit-title = コメントを編集
delete-comment = コメントを削除
delete-comment-sure = コメントは消え、元に戻せません。

follow = フォローする
following = フォロー中
followers = フォロワー
followings = フォロー中
followers-count = フォロワー{ $n }人
followings-count = フォロー中{ $n }人
feeds-count = 投稿{ $n }件
member-since = 登録:
profile-description = { $name }さんの投稿
timeline-help = フォローしている人の投稿です。

my-feeds = 自分の投稿
my-comments = 自分のコメント
my-profile = 公開プロフィール
settings = 設定
settings-account = アカウント
settings-data = 自分のデータ
password-now = 今のパスワード
password-new = 新しいパスワード
password-change = パスワードを変更
password-change-help = 8文字以上。ここではログインしたまま、ほかの端末ではログアウトされます。
export = データをダウンロード
export-help = 投稿、写真、コメント、いいね、フォローのすべてをZIPファイルで受け取ります。
delete-account = アカウントを削除
delete-account-sure = アカウントはすぐに消え、投稿、写真、コメント、いいね、フォローも消えます。元に戻せません。
look-language = 言語
look-language-auto = ブラウザの設定に合わせる
look-theme = 表示の色
theme-auto = システムの設定に合わせる
theme-light = 明るい
theme-dark = 暗い

notice-liked = いいねしました。
notice-unliked = いいねを取り消しました。
notice-followed = フォローしました。
notice-unfollowed = フォローをやめました。
notice-commented = コメントしました。
notice-comment-deleted = コメントを削除しました。
notice-nickname-changed = ニックネームを変更しました。
notice-password-changed = パスワードを変更しました。

js-offline = 接続がありません。入力した内容は残っていますので、もう一度お試しください。
js-remove = 写真{"{"}n{"}"}を外す
js-earlier = 写真{"{"}n{"}"}を前へ
js-later = 写真{"{"}n{"}"}を後ろへ
js-uploading = 送信中… {"{"}n{"}"}%
js-waiting = 接続を待っています。つながったら一度だけ送信します。
js-restored = 下書きを復元しました。
js-discard = 下書きを破棄
js-discard-sure = 書きかけの文章と写真を破棄しますか?
js-stop = 止めて直す
js-too-many = 写真は{"{"}n{"}"}枚までです。
js-too-large = {"{"}name{"}"}: 写真は1枚{"{"}n{"}"}MBまでです。
js-not-photo = {"{"}name{"}"}: JPEG、PNG、GIF、WebPだけです。
js-photo = 写真{"{"}n{"}"}

problem-missing = 入力してください。
problem-too-short = { $n }文字以上で入力してください。
problem-too-long = { $n }文字までです。
problem-email = メールアドレスではありません。
problem-nickname = 使えないニックネームです。見えない文字や前後の空白は使えません。
problem-easy-password = 推測されやすいパスワードです。
problem-other = このままでは受け付けられません。

# お知らせ
notifications = お知らせ
notifications-empty = まだお知らせはありません。返信、いいね、フォローがあると、ここでお知らせします。
notification-new = 新しいお知らせがあります
notification-more = 新しいお知らせがあります：表示
notification-unread = 未読：
notification-read = 既読にする
notification-read-all = すべて既読にする
notification-settings = お知らせの設定
notification-settings-help = 自分がしたことは通知されません。これから起こることに適用されます。
notification-on-comment = 自分の投稿へのコメント
notification-on-reply = コメントした投稿への新しいコメント
notification-on-like = いいね
notification-on-follow = 新しいフォロワー
notification-at-all = ここと、連携していれば LINE でも
notification-at-board = ここだけ
notification-at-off = 受け取らない
notification-comment = { $n ->
    [0] { $name }さんがあなたの投稿にコメントしました
   *[other] { $name }さんと他{ $n }人があなたの投稿にコメントしました
}
notification-reply = { $n ->
    [0] { $name }さんがあなたのコメントした投稿にコメントしました
   *[other] { $name }さんと他{ $n }人があなたのコメントした投稿にコメントしました
}
notification-like-feed = { $n ->
    [0] { $name }さんがあなたの投稿にいいねしました
   *[other] { $name }さんと他{ $n }人があなたの投稿にいいねしました
}
notification-like-comment = { $n ->
    [0] { $name }さんがあなたのコメントにいいねしました
   *[other] { $name }さんと他{ $n }人があなたのコメントにいいねしました
}
notification-follow = { $n ->
    [0] { $name }さんがあなたをフォローしました
   *[other] { $name }さんと他{ $n }人があなたをフォローしました
}
notice-read = 既読にしました。
notice-saved = 保存しました。

error-title = できませんでした
error-title-403 = 許可されていません
error-title-404 = 見つかりません
error-title-429 = 速すぎます
error-title-500 = 問題が起きました
error-title-503 = しばらくしてから
error-home = 最初のページへ
error-request = リクエスト番号:
error-not-authenticated = ログインしてください。
error-invalid-token = もう一度ログインしてください。
error-invalid-credentials = メールアドレスかパスワードが違います。
error-email-already-registered = このメールアドレスは登録済みです。
error-nickname-already-registered = 使われているか、よく似たニックネームがあります。
error-signup-closed = この掲示板のアカウントは運営者が作ります。
error-permission-denied = ほかの人のものです。
error-feed-not-found = 投稿がないか、削除されました。
error-comment-not-found = コメントがないか、削除されました。
error-user-not-found = ユーザーがいないか、退会しました。
error-like-target-missing = いいねする対象がありません。
error-own-follow = 自分をフォローすることはできません。
error-user-criterion-missing = ユーザーを指定してください。
error-image-too-large = 写真が大きすぎます。10MB、4000万画素までです。
error-unsupported-image-type = 読み取れないファイルがあります。JPEG、PNG、GIF、WebPだけです。
error-broken-image = 壊れた写真があります。
error-range-not-satisfiable = その部分はありません。
error-too-many-images = 写真は1つの投稿に10枚までです。
error-too-many-uploads = 中断されたアップロードが多すぎます。1分ほどお待ちください。
error-cross-site-request = ほかのサイトから送られたフォームのため、何も行いませんでした。
error-another-user = その間に別の人がログインしたため、投稿しませんでした。
error-wrong-password = 今のパスワードが違います。
error-unknown-host = この掲示板のアドレスではありません。
error-invalid-signature = 署名が正しくありません。
error-invalid-input = 印のあるところをご確認ください。
error-broken-body = フォームが壊れて届きました。もう一度送ってください。
error-invalid-utf8 = 読み取れないアドレスです。
error-body-too-large = 大きすぎます。
error-too-many-fields = 一度に多すぎます。
error-unsupported-encoding = 読み取れません。
error-request-timeout = 届くのに時間がかかりすぎました。もう一度お試しください。
error-not-found = そのページはありません。
error-method-not-allowed = ここではできません。
error-request-in-progress = すでに処理中です。
error-already-done = すでに処理されました。
error-idempotency-key-reused = このフォームは別の内容ですでに送られました。投稿されているかご確認ください。
error-too-many-requests = 速すぎます。少しお待ちください。
error-outcome-unknown = 処理されたか分かりません。もう一度行う前にご確認ください。
error-unavailable = ただいま混み合っています。しばらくしてからお試しください。
error-internal = 掲示板側で問題が起きました。

# LINEのトーク
line-help =
    次のように使えます。
    · 新着: 新しい投稿を見る
    · 投稿 12: 12番の投稿を読む
    · 書く タイトル: 投稿を書く。2行目からが本文で、続けて写真を送れます。
    · 公開、キャンセル: 書いたものを投稿する、破棄する
    · 通知: 自分へのお知らせを見る
    · 連携、連携解除: 掲示板のアカウントとつなぐ、外す
    · ヘルプ: この案内を見る
line-welcome =
    友だち追加ありがとうございます。ここで掲示板を読み、写真つきで投稿し、自分へのお知らせを受け取れます。
    「ヘルプ」と送ると使い方をご案内します。
line-newest-title = 新しい投稿
line-newest-none = まだ投稿がありません。
line-feed-not-found = 投稿がないか、削除されました。
line-not-linked = 先にアカウントを連携してください。「連携」と送ると始められます。
line-link-offer = 下のボタンから掲示板にログインすると連携されます。ボタンは10分間使えます。
line-linked = { $name }さんのアカウントと連携しました。「連携解除」と送ればいつでも解除できます。
line-link-failed = 連携できませんでした。「連携」と送ってもう一度お試しください。
line-link-expired = 連携の有効時間が過ぎました。「連携」と送ってもう一度お試しください。
line-already-linked = すでに{ $name }さんのアカウントと連携しています。
line-unlink-question = 連携を解除しますか? ここから投稿したり、お知らせを受け取ったりできなくなります。
line-unlinked = 連携を解除しました。「連携」と送ると、いつでもまた連携できます。
line-link-kept = 連携はそのままです。
line-draft-question = このまま投稿しますか?
line-draft-photos = 写真{ $n }枚
line-draft-empty =
    「書く」のあとにタイトルを、次の行から本文を書いて、まとめて送ってください。例:
    書く 今日の散歩
    川沿いを歩きました。
line-draft-title-too-long = タイトルが長すぎます。1行目は{ $n }文字までです。
line-draft-none = 書きかけの投稿がありません。「書く」のあとにタイトルと本文を書いて送ってください。
line-draft-expired = 時間がたったため、書きかけの投稿は消えました。もう一度書いてください。
line-draft-cancelled = 書きかけの投稿を破棄しました。
line-draft-published = 投稿しました。
line-draft-too-many-photos = 写真は1つの投稿に{ $n }枚までです。
line-photo-added = 写真を追加しました。全部で{ $n }枚です。
line-photo-first = 写真は投稿を書いてから送ってください。「書く」のあとにタイトルと本文を書いて送ると始められます。
line-photo-refused = この写真は投稿できません。JPEG、PNG、GIF、WebP、10MB、4000万画素までです。
line-notifications-title = お知らせ
line-notifications-more = … ほかのお知らせは掲示板で：
line-notifications-none = 新しいお知らせはありません。
line-unknown = 申し訳ありません、分かりませんでした。「ヘルプ」と送ると使い方をご案内します。
line-try-later = 今はできません。しばらくしてからもう一度お試しください。
line-button-newest = 新しい投稿
line-button-notifications = お知らせ
line-button-help = ヘルプ
line-button-read = 読む
line-button-open = 掲示板で見る
line-button-write = 投稿する
line-button-publish = 投稿
line-button-cancel = 破棄
line-button-link = アカウント連携
line-button-unlink = 連携を解除
line-button-keep = そのままにする
line-about = LINE で掲示板を読み、写真付きで投稿し、お知らせを受け取れます。
line-is-linked = アカウントはトークと連携されています。
line-open-chat = トークを開く
line-unlinked-here = アカウントの連携を解除しました。
line-step-friend = LINE でこの掲示板を友だちに追加してください。
line-step-say = トークで「連携」と送ってください。
line-step-agree = 届いたボタンを押し、パスワードで確認してください。
line-word-link = 連携
line-link-title = このトークをアカウントと連携しますか？
line-link-warning = この名前でトークする人は、あなたの名前で投稿し、お知らせを読めるようになります。ご本人であり、いまご自身で依頼した場合にだけ続けてください。
line-link-agree = はい、本人です
line-link-onward = 最後の手順です。LINE が同意を確認します。
line-link-continue = LINE で続ける

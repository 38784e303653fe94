# 모든 언어의 키는 같습니다. 테스트가 비교합니다.

home-title = 새 글
home-description = 사진과 함께 글을 쓰고, 이야기하고, 팔로우하는 커뮤니티 게시판입니다.
skip = 본문으로 건너뛰기
nav-main = 주 메뉴
nav-timeline = 타임라인
nav-my = 내 페이지
nav-write = 글쓰기
nav-login = 로그인
nav-signup = 가입하기
nav-look = 언어와 화면
to-newest = 새 글로
to-older = 이전 글 보기
to-first-comments = 처음 댓글로
to-later-comments = 다음 댓글 보기
to-more = 더 보기
to-feed = 글로 가기
list-empty = 아직 글이 없습니다.
people-empty = 아직 아무도 없습니다.
comments-empty = 아직 댓글이 없습니다.
edited = 수정됨

time-now = 방금
time-minutes = { $n }분 전
time-hours = { $n }시간 전
time-days = { $n ->
    [1] 어제
   *[other] { $n }일 전
}

save = 저장
cancel = 취소
edit = 수정
delete = 삭제
remove = 빼기
email = 이메일
email-help = 로그인할 때 씁니다. 다른 사람에게는 보이지 않습니다.
nickname = 닉네임
nickname-help = 1자에서 30자까지. 모두에게 보입니다.
password = 비밀번호
password-help = 8자 이상. 문장으로 지으면 외우기 쉽고 알아내기 어렵습니다.
signup-title = 가입하기
signup-button = 가입하기
signup-have = 이미 계정이 있나요?
login-title = 로그인
login-button = 로그인
login-new = 처음 오셨나요?
logout = 로그아웃

compose-title = 글쓰기
edit-title = 글 수정
feed-title = 제목
feed-content = 내용
markdown-help = **굵게**, *기울임*, - 목록, > 인용, 링크를 쓸 수 있습니다 (마크다운).
photos = 사진
photos-add = 사진 더하기
photos-now = 이 글의 사진
photos-help = { $n ->
    [0] 사진을 더 올릴 수 없습니다.
   *[other] { $n }장까지 올릴 수 있습니다. JPEG, PNG, GIF, WebP, 한 장에 10MB까지.
}
photo = 사진 { $n }
post = 올리기
delete-feed = 글 삭제
delete-feed-sure = 글과 사진, 댓글이 모두 지워지며 되돌릴 수 없습니다.
like = 좋아요
comments = 댓글
comments-count = 댓글 { $n }개
comment = 댓글
comment-new = 댓글 쓰기
comment-send = 댓글 달기
comment-login = 로그인하고 댓글 쓰기
comment-edit-title = 댓글 수정
delete-comment = 댓글 삭제
delete-comment-sure = 댓글을 지우면 되돌릴 수 없습니다.

follow = 팔로우
following = 팔로잉
followers = 팔로워
followings = 팔로잉
followers-count = 팔로워 { $n }명
followings-count = 팔로잉 { $n }명
feeds-count = 글 { $n }개
member-since = 가입:
profile-description = { $name } 님의 글
timeline-help = 팔로우하는 사람들의 글입니다.

my-feeds = 내 글
my-comments = 내 댓글
my-profile = 공개 프로필
settings = 설정
settings-account = 계정
settings-data = 내 데이터
password-now = 지금 비밀번호
password-new = 새 비밀번호
password-change = 비밀번호 바꾸기
password-change-help = 8자 이상. 이곳의 로그인은 유지되고, 다른 기기에서는 로그아웃됩니다.
export = 내 데이터 내려받기
export-help = 내 글, 사진, 댓글, 좋아요, 팔로우를 ZIP 파일로 받습니다.
delete-account = 계정 삭제
delete-account-sure = 계정이 바로 사라지고 글, 사진, 댓글, 좋아요, 팔로우도 함께 지워집니다. 되돌릴 수 없습니다.
look-language = 언어
look-language-auto = 브라우저 설정대로
look-theme = 화면 색
theme-auto = 시스템 설정대로
theme-light = 밝게
theme-dark = 어둡게

notice-liked = 좋아요를 눌렀습니다.
notice-unliked = 좋아요를 취소했습니다.
notice-followed = 팔로우합니다.
notice-unfollowed = 팔로우를 그만두었습니다.
notice-commented = 댓글을 달았습니다.
notice-comment-deleted = 댓글을 지웠습니다.
notice-nickname-changed = 닉네임을 바꾸었습니다.
notice-password-changed = 비밀번호를 바꾸었습니다.

js-offline = 연결되지 않습니다. 쓰신 내용은 그대로 있으니 다시 시도해 주세요.
js-remove = 사진 {"{"}n{"}"} 빼기
js-earlier = 사진 {"{"}n{"}"} 앞으로
js-later = 사진 {"{"}n{"}"} 뒤로
js-uploading = 보내는 중 … {"{"}n{"}"}%
js-waiting = 연결을 기다립니다. 연결되면 한 번만 보냅니다.
js-restored = 쓰던 글을 불러왔습니다.
js-discard = 쓰던 글 버리기
js-discard-sure = 쓰던 글과 사진을 버릴까요?
js-stop = 멈추고 고치기
js-too-many = 사진은 {"{"}n{"}"}장까지 올릴 수 있습니다.
js-too-large = {"{"}name{"}"}: 사진 한 장은 {"{"}n{"}"}MB까지입니다.
js-not-photo = {"{"}name{"}"}: JPEG, PNG, GIF, WebP만 올릴 수 있습니다.
js-photo = 사진 {"{"}n{"}"}

problem-missing = 입력해 주세요.
problem-too-short = { $n }자 이상 입력해 주세요.
problem-too-long = { $n }자까지 입력할 수 있습니다.
problem-email = 이메일 주소가 아닙니다.
problem-nickname = 쓸 수 없는 닉네임입니다. 보이지 않는 문자나 앞뒤 빈칸을 빼 주세요.
problem-easy-password = 너무 알아내기 쉬운 비밀번호입니다.
problem-other = 이대로는 받을 수 없습니다.

# 알림
notifications = 알림
notifications-empty = 아직 알림이 없습니다. 누군가 답하거나 좋아하거나 팔로우하면 여기에서 알려 드려요.
notification-new = 새 알림이 있습니다
notification-more = 새 알림이 있습니다: 보기
notification-unread = 읽지 않음:
notification-read = 읽음으로 표시
notification-read-all = 모두 읽음으로 표시
notification-settings = 알림 설정
notification-settings-help = 자신이 한 일은 알리지 않습니다. 지금부터 일어나는 일에 적용됩니다.
notification-on-comment = 내 글에 달린 댓글
notification-on-reply = 내가 댓글을 단 글의 새 댓글
notification-on-like = 좋아요
notification-on-follow = 새 팔로워
notification-at-all = 여기, 그리고 연동했다면 LINE에서도
notification-at-board = 여기에서만
notification-at-off = 받지 않음
notification-comment = { $n ->
    [0] { $name }님이 내 글에 댓글을 남겼습니다
   *[other] { $name }님 외 { $n }명이 내 글에 댓글을 남겼습니다
}
notification-reply = { $n ->
    [0] { $name }님이 내가 댓글을 단 글에 댓글을 남겼습니다
   *[other] { $name }님 외 { $n }명이 내가 댓글을 단 글에 댓글을 남겼습니다
}
notification-like-feed = { $n ->
    [0] { $name }님이 내 글을 좋아합니다
   *[other] { $name }님 외 { $n }명이 내 글을 좋아합니다
}
notification-like-comment = { $n ->
    [0] { $name }님이 내 댓글을 좋아합니다
   *[other] { $name }님 외 { $n }명이 내 댓글을 좋아합니다
}
notification-follow = { $n ->
    [0] { $name }님이 나를 팔로우합니다
   *[other] { $name }님 외 { $n }명이 나를 팔로우합니다
}
notice-read = 읽음으로 표시했습니다.
notice-saved = 저장했습니다.

error-title = 처리하지 못했습니다
error-title-403 = 할 수 없습니다
error-title-404 = 찾을 수 없습니다
error-title-429 = 너무 빠릅니다
error-title-500 = 문제가 생겼습니다
error-title-503 = 잠시 뒤에 다시
error-home = 첫 페이지로
error-request = 요청 번호:
error-not-authenticated = 로그인해 주세요.
error-invalid-token = 다시 로그인해 주세요.
error-invalid-credentials = 이메일 또는 비밀번호가 맞지 않습니다.
error-email-already-registered = 이미 가입된 이메일입니다.
error-nickname-already-registered = 다른 사람이 쓰고 있거나, 그와 비슷해 보이는 닉네임입니다.
error-signup-closed = 이 게시판의 계정은 운영자가 만듭니다.
error-permission-denied = 다른 사람의 것입니다.
error-feed-not-found = 글이 없거나 삭제되었습니다.
error-comment-not-found = 댓글이 없거나 삭제되었습니다.
error-user-not-found = 사용자가 없거나 탈퇴했습니다.
error-like-target-missing = 좋아할 대상이 없습니다.
error-own-follow = 자신을 팔로우할 수 없습니다.
error-user-criterion-missing = 사용자를 지정해 주세요.
error-image-too-large = 사진이 너무 큽니다. 10MB, 4천만 화소까지 올릴 수 있습니다.
error-unsupported-image-type = 읽을 수 없는 파일이 있습니다. JPEG, PNG, GIF, WebP만 올릴 수 있습니다.
error-broken-image = 손상된 사진이 있습니다.
error-range-not-satisfiable = 그런 부분이 없습니다.
error-too-many-images = 글 하나에 사진은 10장까지입니다.
error-too-many-uploads = 중단된 업로드가 너무 많습니다. 1분 뒤에 다시 해 주세요.
error-cross-site-request = 다른 사이트에서 보낸 양식이라 처리하지 않았습니다.
error-another-user = 그사이 다른 사람이 로그인해서 올리지 않았습니다.
error-wrong-password = 지금 비밀번호가 맞지 않습니다.
error-unknown-host = 이 게시판의 주소가 아닙니다.
error-invalid-signature = 서명이 올바르지 않습니다.
error-invalid-input = 표시된 곳을 확인해 주세요.
error-broken-body = 양식이 깨진 채 도착했습니다. 다시 보내 주세요.
error-invalid-utf8 = 읽을 수 없는 주소입니다.
error-body-too-large = 너무 큽니다.
error-too-many-fields = 한 번에 너무 많습니다.
error-unsupported-encoding = 읽을 수 없습니다.
error-request-timeout = 도착하는 데 너무 오래 걸렸습니다. 다시 해 주세요.
error-not-found = 그런 페이지가 없습니다.
error-method-not-allowed = 여기서는 할 수 없습니다.
error-request-in-progress = 이미 처리하고 있습니다.
error-already-done = 이미 처리되었습니다.
error-idempotency-key-reused = 이 양식은 다른 내용으로 이미 보냈습니다. 글이 올라갔는지 확인해 주세요.
error-too-many-requests = 너무 빠릅니다. 잠시 기다려 주세요.
error-outcome-unknown = 처리되었는지 알 수 없습니다. 다시 하기 전에 확인해 주세요.
error-unavailable = 지금은 붐빕니다. 잠시 뒤에 다시 해 주세요.
error-internal = 게시판 쪽에 문제가 생겼습니다.

# LINE 대화방
line-help =
    이렇게 쓸 수 있습니다.
    · 최신: 새 글 보기
    · 글 12: 12번 글 읽기
    · 글쓰기 제목: 새 글 쓰기. 둘째 줄부터 내용이고, 이어서 사진을 보낼 수 있습니다.
    · 등록, 취소: 쓰던 글 올리기, 버리기
    · 알림: 내 소식 보기
    · 연동, 연동 해제: 게시판 계정과 연결하기, 끊기
    · 도움말: 이 안내 보기
line-welcome =
    반갑습니다! 여기에서 게시판의 글을 읽고, 글과 사진을 올리고, 내 소식을 받을 수 있습니다.
    '도움말'이라고 보내면 쓰는 법을 알려 드립니다.
line-newest-title = 새 글
line-newest-none = 아직 글이 없습니다.
line-feed-not-found = 글이 없거나 삭제되었습니다.
line-not-linked = 먼저 게시판 계정과 연동해 주세요. '연동'이라고 보내면 됩니다.
line-link-offer = 아래 버튼을 눌러 게시판에 로그인하면 연동됩니다. 버튼은 10분 동안 쓸 수 있습니다.
line-linked = { $name } 님의 계정과 연동되었습니다. 언제든지 '연동 해제'라고 보내면 해제할 수 있습니다.
line-link-failed = 연동하지 못했습니다. '연동'이라고 보내 다시 해 주세요.
line-link-expired = 연동할 수 있는 시간이 지났습니다. '연동'이라고 보내 다시 해 주세요.
line-already-linked = 이미 { $name } 님의 계정과 연동되어 있습니다.
line-unlink-question = 연동을 해제할까요? 더는 여기에서 글을 올리거나 소식을 받을 수 없습니다.
line-unlinked = 연동을 해제했습니다. 언제든 '연동'이라고 보내면 다시 연동할 수 있습니다.
line-link-kept = 연동을 그대로 두었습니다.
line-draft-question = 이대로 올릴까요?
line-draft-photos = 사진 { $n }장
line-draft-empty =
    '글쓰기' 뒤에 제목을 쓰고, 다음 줄부터 내용을 써서 한 번에 보내 주세요. 예:
    글쓰기 오늘의 산책
    강가를 걸었습니다.
line-draft-title-too-long = 제목이 너무 깁니다. 첫 줄은 { $n }자까지 쓸 수 있습니다.
line-draft-none = 쓰던 글이 없습니다. '글쓰기' 뒤에 제목과 내용을 써서 보내 주세요.
line-draft-expired = 오래되어 쓰던 글이 사라졌습니다. 다시 써 주세요.
line-draft-cancelled = 쓰던 글을 버렸습니다.
line-draft-published = 글을 올렸습니다.
line-draft-too-many-photos = 글 하나에 사진은 { $n }장까지입니다.
line-photo-added = 사진을 더했습니다. 모두 { $n }장입니다.
line-photo-first = 사진은 글을 쓰고 나서 보내 주세요. '글쓰기' 뒤에 제목과 내용을 써서 보내면 됩니다.
line-photo-refused = 이 사진은 올릴 수 없습니다. JPEG, PNG, GIF, WebP, 10MB, 4천만 화소까지 올릴 수 있습니다.
line-notifications-title = 내 소식
line-notifications-more = … 더 많은 알림은 게시판에서:
line-notifications-none = 새 소식이 없습니다.
line-unknown = 무슨 말씀인지 모르겠습니다. '도움말'이라고 보내면 쓰는 법을 알려 드립니다.
line-try-later = 지금은 할 수 없습니다. 잠시 뒤에 다시 해 주세요.
line-button-newest = 새 글
line-button-notifications = 내 소식
line-button-help = 도움말
line-button-read = 읽기
line-button-open = 게시판에서 보기
line-button-write = 글쓰기
line-button-publish = 올리기
line-button-cancel = 취소
line-button-link = 계정 연동
line-button-unlink = 연동 해제
line-button-keep = 그대로 두기
line-about = LINE에서 게시판을 읽고, 사진과 함께 글을 쓰고, 새 알림을 받아 보세요.
line-is-linked = 계정이 채팅과 연동되어 있습니다.
line-open-chat = 채팅 열기
line-unlinked-here = 계정 연동을 해제했습니다.
line-step-friend = LINE에서 이 게시판을 친구로 추가하세요.
line-step-say = 채팅에서 “연동”이라고 보내세요.
line-step-agree = 받은 버튼을 누르고 비밀번호로 확인하세요.
line-word-link = 연동
line-link-title = 이 채팅을 내 계정과 연동할까요?
line-link-warning = 이 이름으로 채팅하는 사람은 회원님의 이름으로 글을 쓰고 알림을 읽을 수 있습니다. 본인이 맞고, 방금 직접 요청한 경우에만 계속하세요.
line-link-agree = 네, 본인입니다
line-link-onward = 마지막 단계입니다. LINE에서 동의를 확인합니다.
line-link-continue = LINE에서 계속하기

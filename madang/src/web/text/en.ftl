# Keys are the same in every language; a test compares them.

home-title = New posts
home-description = A community board: read, post with photos, talk and follow.
skip = Skip to the content
nav-main = Main
nav-timeline = Timeline
nav-my = My page
nav-write = Write
nav-login = Log in
nav-signup = Sign up
nav-look = Language and colours
to-newest = To the newest posts
to-older = Older posts
to-first-comments = To the first comments
to-later-comments = Later comments
to-more = Show more
to-feed = To the post
list-empty = Nothing here yet.
people-empty = Nobody here yet.
comments-empty = No comments yet.
edited = edited

# Times, for those without scripts
time-now = just now
time-minutes = { $n ->
    [one] 1 minute ago
   *[other] { $n } minutes ago
}
time-hours = { $n ->
    [one] 1 hour ago
   *[other] { $n } hours ago
}
time-days = { $n ->
    [one] yesterday
   *[other] { $n } days ago
}

# Words of forms
save = Save
cancel = Cancel
edit = Edit
delete = Delete
remove = Remove
email = E-mail
email-help = Nobody else sees it. You log in with it.
nickname = Nickname
nickname-help = 1 to 30 characters. Everybody sees it.
password = Password
password-help = At least 8 characters. A sentence is easier to remember, and harder to guess.
signup-title = Sign up
signup-button = Sign up
signup-have = Already have an account?
login-title = Log in
login-button = Log in
login-new = New here?
logout = Log out

# Posts
compose-title = Write a post
edit-title = Edit the post
feed-title = Title
feed-content = Text
markdown-help = **bold**, *italic*, - lists, > quotes and links work (Markdown).
photos = Photos
photos-add = Add photos
photos-now = Photos of this post
photos-help = { $n ->
    [0] This post has all the photos it can have.
    [one] One photo at most: JPEG, PNG, GIF or WebP of up to 10 MB.
   *[other] Up to { $n } photos: JPEG, PNG, GIF or WebP of up to 10 MB each.
}
photo = Photo { $n }
post = Post
delete-feed = Delete the post
delete-feed-sure = The post goes with its photos and comments, for good.
like = Like
comments = Comments
comments-count = { $n ->
    [one] 1 comment
   *[other] { $n } comments
}
comment = Comment
comment-new = Write a comment
comment-send = Comment
comment-login = Log in to comment
comment-edit-title = Edit the comment
delete-comment = Delete the comment
delete-comment-sure = The comment goes for good.

# People
follow = Follow
following = Following
followers = Followers
followings = Following
followers-count = { $n ->
    [one] 1 follower
   *[other] { $n } followers
}
followings-count = { $n } following
feeds-count = { $n ->
    [one] 1 post
   *[other] { $n } posts
}
member-since = Member since
profile-description = Posts by { $name }
timeline-help = Posts by the people you follow.

# My page and settings
my-feeds = My posts
my-comments = My comments
my-profile = Public profile
settings = Settings
settings-account = Account
settings-data = Your data
password-now = Present password
password-new = New password
password-change = Change the password
password-change-help = At least 8 characters. You stay logged in here, and are logged out everywhere else.
export = Download my data
export-help = All your posts, photos, comments, likes and follows, as a ZIP file.
delete-account = Delete my account
delete-account-sure = Your account goes at once, with your posts, photos, comments, likes and follows. Nothing can be brought back.
look-language = Language
look-language-auto = As my browser says
look-theme = Colours
theme-auto = As my system says
theme-light = Light
theme-dark = Dark

# What was done
notice-liked = You like this.
notice-unliked = You no longer like this.
notice-followed = You follow them now.
notice-unfollowed = You no longer follow them.
notice-commented = Your comment is there.
notice-comment-deleted = The comment is deleted.
notice-nickname-changed = Your nickname is changed.
notice-password-changed = Your password is changed.

# What our scripts say
js-offline = There is no connection. What you typed is still there: try again.
js-remove = Remove photo {"{"}n{"}"}
js-earlier = Move photo {"{"}n{"}"} forward
js-later = Move photo {"{"}n{"}"} back
js-uploading = Sending … {"{"}n{"}"} %
js-waiting = Waiting for the connection. It will be sent once, by itself.
js-restored = Your draft was restored.
js-discard = Discard the draft
js-discard-sure = Discard what you wrote, with its photos?
js-stop = Stop and edit
js-too-many = {"{"}n{"}"} photos at most.
js-too-large = {"{"}name{"}"} is too large: {"{"}n{"}"} MB at most.
js-not-photo = {"{"}name{"}"} is no JPEG, PNG, GIF or WebP.
js-photo = Photo {"{"}n{"}"}

# What is wrong about a field
problem-missing = Please fill this in.
problem-too-short = { $n } characters at least.
problem-too-long = { $n } characters at most.
problem-email = This is no e-mail address.
problem-nickname = This cannot be a nickname: no invisible characters, no spaces at its ends.
problem-easy-password = This password is too easy to guess.
problem-other = This cannot be taken as it is.

# Notifications
notifications = Notifications
notifications-empty = Nothing yet. You will hear here when somebody answers, likes something of yours or follows you.
notification-new = Something new for you
notification-more = There is something new: show it
notification-unread = Unread:
notification-read = Mark as read
notification-read-all = Mark all as read
notification-settings = What to hear of
notification-settings-help = Your own acts are never told. The setting is for what happens from now on.
notification-on-comment = Comments on my posts
notification-on-reply = Comments after mine
notification-on-like = Likes
notification-on-follow = New followers
notification-at-all = Here, and in LINE if it is connected
notification-at-board = Here only
notification-at-off = Not at all
notification-comment = { $n ->
    [0] { $name } commented on your post
    [one] { $name } and one other commented on your post
   *[other] { $name } and { $n } others commented on your post
}
notification-reply = { $n ->
    [0] { $name } also commented on a post
    [one] { $name } and one other also commented on a post
   *[other] { $name } and { $n } others also commented on a post
}
notification-like-feed = { $n ->
    [0] { $name } likes your post
    [one] { $name } and one other like your post
   *[other] { $name } and { $n } others like your post
}
notification-like-comment = { $n ->
    [0] { $name } likes your comment
    [one] { $name } and one other like your comment
   *[other] { $name } and { $n } others like your comment
}
notification-follow = { $n ->
    [0] { $name } follows you
    [one] { $name } and one other follow you
   *[other] { $name } and { $n } others follow you
}
notice-read = Marked as read.
notice-saved = Saved.

# Errors
error-title = That did not work
error-title-403 = Not allowed
error-title-404 = Not found
error-title-429 = Too fast
error-title-500 = Something broke
error-title-503 = Not now
error-home = To the first page
error-request = Number of this request:
error-not-authenticated = Please log in.
error-invalid-token = Please log in again.
error-invalid-credentials = E-mail or password is wrong.
error-email-already-registered = There is an account with this e-mail address.
error-nickname-already-registered = Somebody has this nickname, or one that looks like it.
error-signup-closed = The operator of this board makes the accounts.
error-permission-denied = This is somebody else's.
error-feed-not-found = This post is not there, or no more.
error-comment-not-found = This comment is not there, or no more.
error-user-not-found = This person is not there, or no more.
error-like-target-missing = There is nothing to like.
error-own-follow = You cannot follow yourself.
error-user-criterion-missing = Somebody must be named.
error-image-too-large = A photo is too large: 10 MB and 40 megapixels at most.
error-unsupported-image-type = One of the files is no photo that we can read: JPEG, PNG, GIF or WebP.
error-broken-image = One of the photos is damaged.
error-range-not-satisfiable = This part is not there.
error-too-many-images = A post can have 10 photos at most.
error-too-many-uploads = Too many uploads were broken off. Please wait a minute.
error-cross-site-request = This form came from another site, so nothing was done.
error-another-user = Somebody else is logged in here meanwhile, so nothing was posted.
error-wrong-password = The present password is wrong.
error-unknown-host = This board has another address.
error-invalid-signature = The signature is wrong.
error-invalid-input = Please look at what is marked.
error-broken-body = The form arrived damaged. Please send it again.
error-invalid-utf8 = This address cannot be read.
error-body-too-large = That is too large.
error-too-many-fields = That is too much at once.
error-unsupported-encoding = This cannot be read.
error-request-timeout = It took too long to arrive. Please try again.
error-not-found = There is no such page.
error-method-not-allowed = This cannot be done here.
error-request-in-progress = This is being done already.
error-already-done = This was done already.
error-idempotency-key-reused = This form was sent before, with other contents. Look whether your post is there.
error-too-many-requests = You are too fast. Please wait a moment.
error-outcome-unknown = We do not know whether it was done. Please look before you repeat it.
error-unavailable = The board is busy. Please try again in a moment.
error-internal = Something broke on our side.

# The chat in LINE
line-help =
    This is what you can say:
    · newest: the newest posts
    · post 12: read post number 12
    · write TITLE: write a post. Its text begins in the second line, and you can send photos after it.
    · publish, cancel: post what you wrote, or discard it
    · notifications: what is new for you
    · link, unlink: connect this chat with your account, or disconnect it
    · help: this list
line-welcome =
    Welcome! Here you can read the board, post with photos, and hear what is new for you.
    Say “help” to see how.
line-newest-title = New posts
line-newest-none = Nothing here yet.
line-feed-not-found = This post is not there, or no more.
line-not-linked = Please link your account first: say “link”.
line-link-offer = Log in to the board by this button to link your account. It works for 10 minutes.
line-linked = This chat is now linked with the account of { $name }. Say “unlink” whenever you want to end that.
line-link-failed = Your account could not be linked. Say “link” to try again.
line-link-expired = It took too long to link your account. Say “link” to try again.
line-already-linked = This chat is linked with the account of { $name } already.
line-unlink-question = Unlink your account? You can then no longer post here or hear what is new for you.
line-unlinked = Your account is unlinked. Say “link” whenever you want to link it again.
line-link-kept = Your account stays linked.
line-draft-question = Post this as it is?
line-draft-photos = { $n ->
    [one] 1 photo
   *[other] { $n } photos
}
line-draft-empty =
    Say “write” and a title, and the text from the next line on, all in one message. For example:
    write A walk today
    I walked along the river.
line-draft-title-too-long = The title is too long: { $n } characters at most in the first line.
line-draft-none = You have begun no post. Say “write”, a title and a text.
line-draft-expired = What you wrote was kept for a while and is gone now. Please write it again.
line-draft-cancelled = What you wrote is discarded.
line-draft-published = Your post is there.
line-draft-too-many-photos = A post can have { $n } photos at most.
line-photo-added = { $n ->
    [one] The photo is added: there is 1 now.
   *[other] The photo is added: there are { $n } now.
}
line-photo-first = Please write first, then send photos: say “write”, a title and a text.
line-photo-refused = This photo cannot be taken: JPEG, PNG, GIF or WebP of up to 10 MB and 40 megapixels.
line-notifications-title = What is new for you
line-notifications-more = … and more on the board:
line-notifications-none = Nothing is new.
line-unknown = I did not understand that. Say “help” to see what you can say.
line-try-later = This cannot be done now. Please try again in a moment.
line-button-newest = New posts
line-button-notifications = What is new
line-button-help = Help
line-button-read = Read
line-button-open = Open on the board
line-button-write = Write
line-button-publish = Post
line-button-cancel = Discard
line-button-link = Link my account
line-button-unlink = Unlink
line-button-keep = Keep it linked
line-about = Read the board in LINE, post from there with photos, and hear there what is new for you.
line-is-linked = Your account is linked with a chat.
line-open-chat = Open the chat
line-unlinked-here = Your account is not linked with a chat any more.
line-step-friend = Add the board as a friend in LINE.
line-step-say = Say “link” in the chat.
line-step-agree = Follow the button that comes, and confirm with your password.
line-word-link = link
line-link-title = Link this chat with your account?
line-link-warning = Whoever chats under this name will be able to post in your name and read your notifications. Only go on if it is you, and if you asked for this just now.
line-link-agree = Yes, it is me
line-link-onward = One last step: LINE asks whether you agree.
line-link-continue = Continue in LINE

//! What is not shown, and why: nothing is skipped in silence.

/// Laws that a database cannot show.
const CANNOT_SHOW: &[(&str, &str, &str)] = &[
    ("08, byte by byte", "sqlite", "there is no wire"),
    ("11", "sqlite", "a statement is stopped by a flag of its own session: there is no id that could be another's"),
    ("18", "sqlite", "one writer cannot deadlock, and a serializable one has no serialization failures"),
    ("19, lost connection", "sqlite", "there is no connection to lose"),
    ("21, separate connections", "sqlite", "it has one writer: a second transaction inside the first is refused"),
    ("26", "sqlite", "COMMIT is a function call: its answer cannot be lost while its caller lives"),
    (
        "27",
        "sqlite",
        "in WAL mode, which greenlit sets, COMMIT does not meet BUSY: the driver's own test shows it in another mode",
    ),
    ("27", "postgres", "its COMMIT is not answered BUSY"),
    ("27", "mariadb", "its COMMIT is not answered BUSY"),
    (
        "28, deadlocks and tries",
        "sqlite",
        "the same as 18: what is in the way is waited for before the first statement",
    ),
    ("30", "sqlite", "there is no connection to lose"),
    ("32", "postgres", "it has no upgrade from reader to writer"),
    ("37, replicas", "sqlite", "it has none"),
    ("41", "postgres", "the server shares the writes of its log among commits by itself"),
    ("41", "mariadb", "the server shares the writes of its log among commits by itself"),
    ("42", "postgres", "synchronous_commit is the server's own default"),
    (
        "19, a statement that ends the transaction",
        "mariadb",
        "errors that an application can make leave it open: a deadlock that ends it is shown instead",
    ),
    (
        "25, constraints checked at COMMIT",
        "mariadb",
        "it checks every constraint at once: a COMMIT that meets a conflict is shown instead",
    ),
    ("32", "mariadb", "it has no upgrade from reader to writer"),
    ("42", "mariadb", "innodb_flush_log_at_trx_commit is the server's own, and 1 by default"),
];

#[test]
fn laws_that_are_not_shown_are_listed() {
    for (law, database, reason) in CANNOT_SHOW {
        println!("law {law} cannot be shown on {database}: {reason}");
    }
}

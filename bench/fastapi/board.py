"""The old board's design, written anew as a peer for the benchmarks: FastAPI, SQLAlchemy's ORM, asyncpg, PostgreSQL.

    python board.py --database postgresql://USER@HOST:PORT/DATABASE?sslmode=disable --images FOLDER [--workers N]

Prints its address once it serves. The tables are those of fill.sql.

What made the old board as fast as it was is kept: which indexes there are not, count(*) at every list, authors named by their
e-mail and joined to feeds, one SELECT for the author of each comment, likes as rows, bcrypt, and a SELECT of the user for each
token. Everything else is done as well as it can be: its speed shall be that of the design and of the libraries."""

import argparse
import asyncio
import gc
import math
import multiprocessing
import os
import secrets
import shutil
import signal
import socket
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar

import bcrypt
import jwt
import orjson
import uvicorn
from fastapi import Depends, FastAPI, File, Form, Header, HTTPException, Query, Response, UploadFile
from pydantic import BaseModel, field_validator
from sqlalchemy import ARRAY, DateTime, ForeignKey, MetaData, Text, bindparam, func, make_url, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, joinedload, mapped_column, relationship
from uvicorn.supervisors import Multiprocess

# Workers are new processes; they learn by their environment what the first one was told.
DATABASE, IMAGES, SECRET, POOL = "BOARD_DATABASE", "BOARD_IMAGES", "BOARD_SECRET", "BOARD_POOL"
CONNECTIONS = 32  # to the database, of all workers together; measured: fewer make requests wait, more gain nothing
BCRYPT_COST = 12  # passlib's default


def now() -> datetime:
    return datetime.now(UTC)


# --- Tables ---


class Base(DeclarativeBase):
    metadata = MetaData(schema="old")
    type_annotation_map: ClassVar = {str: Text, datetime: DateTime(timezone=True), list[str]: ARRAY(Text)}


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    password: Mapped[str]
    nickname: Mapped[str]
    create_dt: Mapped[datetime] = mapped_column(default=now)


class Feed(Base):
    __tablename__ = "feeds"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    content: Mapped[str]
    image_urls: Mapped[list[str]]
    author_email: Mapped[str]
    create_dt: Mapped[datetime]
    update_dt: Mapped[datetime]
    author: Mapped[User] = relationship(primaryjoin="foreign(Feed.author_email) == User.email", viewonly=True)


class Comment(Base):
    __tablename__ = "comments"
    id: Mapped[int] = mapped_column(primary_key=True)
    content: Mapped[str]
    feed_id: Mapped[int] = mapped_column(ForeignKey("old.feeds.id"))
    author_email: Mapped[str]
    create_dt: Mapped[datetime]
    update_dt: Mapped[datetime]


class Like(Base):
    __tablename__ = "likes"
    __mapper_args__ = {"confirm_deleted_rows": False}  # another request may have been faster
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int]
    feed_id: Mapped[int | None]
    comment_id: Mapped[int | None]


# --- Statements ---
# Made once: SQLAlchemy need not build them, nor find out whether it has compiled them, at each request.

ORDERS = ("create_dt_desc", "create_dt_asc", "update_dt_desc", "update_dt_asc")


def ordered(table: type[Feed] | type[Comment], sort_by: str) -> Any:
    name, direction = sort_by.rsplit("_", 1)
    column = getattr(table, name)
    page = select(table).order_by(column.desc() if direction == "desc" else column.asc())
    return page.offset(bindparam("skip")).limit(bindparam("limit"))


FEED = select(Feed).options(joinedload(Feed.author)).where(Feed.id == bindparam("feed_id"))
FEED_EXISTS = select(Feed.id).where(Feed.id == bindparam("feed_id"))
FEED_LISTS = {order: ordered(Feed, order).options(joinedload(Feed.author)) for order in ORDERS}
FEED_COUNT = select(func.count()).select_from(Feed)
COMMENT_LISTS = {order: ordered(Comment, order).where(Comment.feed_id == bindparam("feed_id")) for order in ORDERS[:2]}
USER = select(User).where(User.email == bindparam("email"))
NICKNAME = select(User.nickname).where(User.email == bindparam("email"))
LIKES = {
    name: select(Like).where(Like.user_id == bindparam("user_id"), getattr(Like, name) == bindparam("target")).limit(1)
    for name in ("feed_id", "comment_id")
}

# Reading sessions have no transaction, which would cost two round trips more.
Reading = async_sessionmaker(expire_on_commit=False, autoflush=False)
Writing = async_sessionmaker(expire_on_commit=False)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    url = make_url(os.environ[DATABASE]).set(drivername="postgresql+asyncpg")
    if "sslmode" in url.query:  # asyncpg knows the same values by another name
        url = url.difference_update_query(["sslmode"]).update_query_dict({"ssl": url.query["sslmode"]})
    # A query of a page takes less time than its compilation would.
    settings = {"jit": "off", "application_name": "old-board"}
    size = int(os.environ[POOL])
    engine = create_async_engine(url, pool_size=size, max_overflow=0, connect_args={"server_settings": settings})
    Reading.configure(bind=engine.execution_options(isolation_level="AUTOCOMMIT"))
    Writing.configure(bind=engine)
    # A worker ends with the first process, however that one ended.
    if parent := multiprocessing.parent_process():
        asyncio.get_running_loop().add_reader(parent.sentinel, os.kill, os.getpid(), signal.SIGTERM)
    # What has been loaded stays; collections of garbage need not look at it again and again.
    gc.collect()
    gc.freeze()
    yield
    await engine.dispose()


# Without the documentation, whose routes each request would be compared with first, and without telemetry, which nobody takes.
app = FastAPI(lifespan=lifespan, openapi_url=None, telemetry={"tracing": False, "metrics": False, "logs": False})


# --- What goes in and out ---


class Json(Response):
    """Returned as it is, so that FastAPI neither validates nor copies what comes from our own tables."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content, option=orjson.OPT_UTC_Z)


class Login(BaseModel):
    email: str
    password: str

    @field_validator("email")
    @classmethod
    def has_form_of_email(cls, email: str) -> str:
        name, at, domain = email.partition("@")
        if not (name and at and "." in domain):
            raise ValueError("Invalid Email Format")
        return email


class Signup(BaseModel):
    email: str
    password: str
    nickname: str


class NewComment(BaseModel):
    content: str
    feed_id: int


def feed_json(feed: Feed, nickname: str) -> dict[str, Any]:
    return {
        "title": feed.title,
        "content": feed.content,
        "image_urls": feed.image_urls,
        "id": feed.id,
        "author_email": feed.author_email,
        "author_nickname": nickname,
        "create_dt": feed.create_dt,
        "update_dt": feed.update_dt,
    }


def comment_json(comment: Comment, nickname: str) -> dict[str, Any]:
    return {
        "content": comment.content,
        "feed_id": comment.feed_id,
        "id": comment.id,
        "author_email": comment.author_email,
        "author_nickname": nickname,
        "create_dt": comment.create_dt,
        "update_dt": comment.update_dt,
    }


async def user_of_token(authorization: Annotated[str, Header()] = "") -> User:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise HTTPException(401, "Not Authenticated")
    try:
        email = jwt.decode(token, os.environ[SECRET], algorithms=["HS256"])["sub"]
    except (jwt.PyJWTError, KeyError):
        raise HTTPException(401, "Invalid Token") from None
    async with Reading() as session:
        user = await session.scalar(USER, {"email": email})
    if user is None:
        raise HTTPException(404, "Author Not Found")
    return user


Viewer = Annotated[User, Depends(user_of_token)]
Skip = Annotated[int, Query(ge=0)]
Limit = Annotated[int, Query(ge=1)]  # the old board had no upper bound either


# --- Routes ---


@app.get("/")
async def root() -> Response:
    return Json({"message": "The old board"})


# bcrypt takes a large part of a second, without the interpreter's lock: it is left to threads, and no connection waits for it.
# It looks at 72 bytes of a password; newer releases refuse longer ones instead of cutting them.


@app.post("/api/auth/signup")
async def signup(new: Signup) -> Response:
    async with Reading() as session:
        if await session.scalar(USER, {"email": new.email}):
            raise HTTPException(400, "Email Already Registered")
    hashed = await asyncio.to_thread(bcrypt.hashpw, new.password.encode()[:72], bcrypt.gensalt(BCRYPT_COST))
    user = User(email=new.email, password=hashed.decode(), nickname=new.nickname)
    try:
        async with Writing.begin() as session:
            session.add(user)
    except IntegrityError:  # somebody was faster
        raise HTTPException(400, "Email Already Registered") from None
    return Json({"email": user.email, "nickname": user.nickname, "create_dt": user.create_dt})


@app.post("/api/auth/login")
async def login(given: Login) -> Response:
    async with Reading() as session:
        user = await session.scalar(USER, {"email": given.email})
    if not user or not await asyncio.to_thread(bcrypt.checkpw, given.password.encode()[:72], user.password.encode()):
        raise HTTPException(401, "Invalid Credentials")
    claims = {"sub": user.email, "exp": now() + timedelta(days=1)}
    token = jwt.encode(claims, os.environ[SECRET], algorithm="HS256")
    return Json({"email": user.email, "nickname": user.nickname, "access_token": token})


@app.get("/api/feed/read/{feed_id}")
async def read_feed(feed_id: int) -> Response:
    async with Reading() as session:
        feed = await session.scalar(FEED, {"feed_id": feed_id})
    if feed is None:
        raise HTTPException(404, "Feed not found")
    return Json(feed_json(feed, feed.author.nickname))


@app.get("/api/feed/list")
async def list_feeds(skip: Skip = 0, limit: Limit = 10, sort_by: str = ORDERS[0]) -> Response:
    async with Reading() as session:
        total = await session.scalar(FEED_COUNT) or 0
        page = FEED_LISTS.get(sort_by, FEED_LISTS[ORDERS[0]])
        feeds = (await session.scalars(page, {"skip": skip, "limit": limit})).all()
    pagination = {
        "current_page": skip // limit + 1,
        "total_pages": math.ceil(total / limit),
        "is_last_page": skip + limit >= total,
        "total_count": total,
    }
    return Json({"feeds": [feed_json(feed, feed.author.nickname) for feed in feeds], "pagination": pagination})


def store_images(images: list[UploadFile]) -> list[str]:
    """Stores them as they came; the old board, too, called whatever came .png. Here a folder stands for its bucket."""
    urls = []
    for image in images:
        name = f"{uuid.uuid4().hex}.png"
        with open(os.path.join(os.environ[IMAGES], name), "wb") as file:
            shutil.copyfileobj(image.file, file)
        urls.append(f"https://s3.example/board/{name}")
    return urls


@app.post("/api/feed/create")
async def create_feed(
    viewer: Viewer,
    title: Annotated[str, Form()],
    content: Annotated[str, Form()],
    images: Annotated[list[UploadFile], File()] = [],
) -> Response:
    chosen = [image for image in images if image.filename]  # browsers send an empty one for none
    urls = await asyncio.to_thread(store_images, chosen) if chosen else []
    time = now()
    feed = Feed(title=title, content=content, image_urls=urls, author_email=viewer.email, create_dt=time, update_dt=time)
    async with Writing.begin() as session:
        session.add(feed)
    return Json(feed_json(feed, viewer.nickname))


@app.post("/api/comment/create")
async def create_comment(viewer: Viewer, new: NewComment) -> Response:
    time = now()
    comment = Comment(content=new.content, feed_id=new.feed_id, author_email=viewer.email, create_dt=time, update_dt=time)
    async with Writing.begin() as session:
        if await session.scalar(FEED_EXISTS, {"feed_id": new.feed_id}) is None:
            raise HTTPException(404, "Feed Not Found")
        session.add(comment)
    return Json(comment_json(comment, viewer.nickname))


@app.get("/api/comment/feed/{feed_id}")
async def list_comments(feed_id: int, skip: Skip = 0, limit: Limit = 10, sort_by: str = ORDERS[0]) -> Response:
    page = COMMENT_LISTS.get(sort_by, COMMENT_LISTS[ORDERS[0]])
    async with Reading() as session:
        comments = (await session.scalars(page, {"feed_id": feed_id, "skip": skip, "limit": limit})).all()
        # The old board asked for each author by himself.
        nicknames = [await session.scalar(NICKNAME, {"email": comment.author_email}) for comment in comments]
    return Json([comment_json(comment, nickname or "") for comment, nickname in zip(comments, nicknames, strict=True)])


@app.patch("/api/like/")
async def toggle_like(viewer: Viewer, feed_id: int | None = None, comment_id: int | None = None) -> Response:
    if (feed_id is None) == (comment_id is None):
        raise HTTPException(400, "Either feed_id or comment_id must be provided.")
    name, target = ("feed_id", feed_id) if feed_id is not None else ("comment_id", comment_id)
    async with Writing.begin() as session:
        if like := await session.scalar(LIKES[name], {"user_id": viewer.id, "target": target}):
            await session.delete(like)
        else:
            session.add(Like(user_id=viewer.id, **{name: target}))
    return Json({"message": "Like toggled successfully"})


# --- The server ---


class OneProcess(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print_address(sockets or [])


class Workers(Multiprocess):
    def init_processes(self) -> None:
        super().init_processes()
        if all(process.wait_until_ready(60) for process in self.processes):
            print_address(self.sockets)


def print_address(sockets: list[socket.socket]) -> None:
    host, port = sockets[0].getsockname()
    print(f"http://{host}:{port}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="The old board's design, on a free port of this machine.")
    parser.add_argument("--database", required=True, metavar="URL")
    parser.add_argument("--images", required=True, type=Path, metavar="FOLDER")
    parser.add_argument("--workers", type=int, default=1, metavar="N")
    told = parser.parse_args()
    told.images.mkdir(parents=True, exist_ok=True)
    os.environ |= {
        DATABASE: told.database,
        IMAGES: str(told.images.resolve()),
        SECRET: os.environ.get("BENCH_KEY") or secrets.token_hex(32),  # the bench makes its own tokens
        POOL: str(max(1, CONNECTIONS // told.workers)),
    }
    config = uvicorn.Config(
        "board:app", host="127.0.0.1", port=0, workers=told.workers, loop="uvloop", http="httptools", ws="none",
        lifespan="on", access_log=False, log_level="warning", proxy_headers=False, server_header=False,
    )  # fmt: skip
    sockets = [config.bind_socket()]
    if told.workers == 1:
        OneProcess(config).run(sockets)
    else:
        Workers(config, sockets).run()


if __name__ == "__main__":
    main()

"""One FastAPI endpoint such as many applications have: a token, a query, a list as JSON."""

import sqlite3
from typing import Annotated

from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel

# Relative: the servers import this package as "apps", the benchmark as "benchmarks.apps".
from .contract import USERS, items_of, user_of_token  # noqa: TID252


class ItemModel(BaseModel):
    """An item as the endpoint answers it."""

    id: int
    owner: int
    name: str
    price_cents: int
    in_stock: bool


def filled_database() -> sqlite3.Connection:
    """Return a database in memory that holds every user's items."""
    # A server may import the application in another thread than the one that runs it.
    database = sqlite3.connect(":memory:", check_same_thread=False)
    database.row_factory = sqlite3.Row
    database.execute(
        "CREATE TABLE item (id INTEGER PRIMARY KEY, owner INTEGER, name TEXT,"
        " price_cents INTEGER, in_stock INTEGER)"
    )
    database.execute("CREATE INDEX item_by_owner ON item (owner)")
    database.executemany(
        "INSERT INTO item VALUES (:id, :owner, :name, :price_cents, :in_stock)",
        [item for user in range(USERS) for item in items_of(user)],
    )
    database.commit()
    return database


app = FastAPI()
_database = filled_database()


async def authenticated_user(authorization: Annotated[str, Header()]) -> int:
    """Return the user whom the bearer token names.

    Raises:
        HTTPException: 401 if the token is not one of ours.
    """
    user = user_of_token(authorization.removeprefix("Bearer "))
    if user is None:
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})
    return user


@app.get("/items")
async def items(user: Annotated[int, Depends(authenticated_user)]) -> list[ItemModel]:
    """Answer with the items that belong to the user."""
    rows = _database.execute("SELECT * FROM item WHERE owner = ? ORDER BY id", (user,))
    return [ItemModel(**row) for row in rows]

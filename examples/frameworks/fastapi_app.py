"""A FastAPI application that is made by a function."""

from fastapi import FastAPI


def create_app():
    app = FastAPI()

    @app.get("/square/{number}")
    async def square(number: int) -> dict[str, int]:
        return {"number": number, "square": number**2}

    return app

# SPDX-License-Identifier: MIT
"""What @component.time() makes of functions, coroutine functions and generators."""
import functools
import inspect


def timed(component, function):
    """function, each of whose calls is recorded in component."""
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def wrapper(*args, **kwargs):
            with component.time():
                return await function(*args, **kwargs)

    elif inspect.isasyncgenfunction(function):

        @functools.wraps(function)
        async def wrapper(*args, **kwargs):
            # What is sent or thrown into it is no business of a timer's: it is iterated.
            with component.time():
                async for item in function(*args, **kwargs):
                    yield item

    elif inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            with component.time():
                return (yield from function(*args, **kwargs))

    else:

        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            with component.time():
                return function(*args, **kwargs)

    return wrapper

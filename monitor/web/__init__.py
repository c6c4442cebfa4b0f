"""The page of `monitor serve --web`: all calls live in a browser, whose own microphone may be one of them."""

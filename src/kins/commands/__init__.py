"""One thin function a command: options, help, and a call into the package."""

"""Recognizes files that are not text in the expected encoding by their first bytes, and says how to save them. Pure."""

# The length of the longest signature.
SIGNATURE = 8

_ZIP = b"PK\x03\x04"
_OLE = bytes.fromhex("d0cf11e0a1b11ae1")
_GZIP = b"\x1f\x8b"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def not_text(start: bytes, wanted: str) -> str | None:
    """What a file with these first bytes is, and what to save it as (`wanted`); None where it may be text."""
    if start.startswith(_ZIP):
        return f"is a ZIP archive, as an Excel workbook (.xlsx) is; save the sheet as {wanted}"
    if start.startswith(_OLE):
        return f"is a workbook of an old Excel (.xls); save the sheet as {wanted}"
    if start.startswith(_GZIP):
        return "is compressed with gzip; unpack it"
    if start.startswith(_UTF16) or b"\0" in start[:3]:
        return f"is UTF-16, as some programs save what they call Unicode text; save it as {wanted}"
    return None

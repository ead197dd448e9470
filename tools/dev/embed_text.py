#!/usr/bin/env python3
"""Turns a text file into a C string: embed_text.py NAME OUT.c FILE. NAME is that of the constant."""
import sys


def main():
    name, out, path = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    body = "\n".join('    "%s\\n"' % line.replace("\\", "\\\\").replace('"', '\\"') for line in lines)
    with open(out, "w", encoding="utf-8") as file:
        file.write("extern const char %s[];\nconst char %s[] =\n%s;\n" % (name, name, body))


main()

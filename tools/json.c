/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON as it is printed. */
#include "json.h"

#include <glib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "digits.h"

/* The pages of a huge transfer need not all be in memory at once. */
#define PRINT_AT 65536

#define INDENT 2

struct json {
    char *text;
    size_t len, size;
    unsigned depth;
    bool empty;   /* nothing is in the innermost object or array yet */
    bool has_key; /* a value is due */
    bool pretty;
    bool for_html;
};

struct json *json_new(bool pretty)
{
    struct json *j = g_new0(struct json, 1);

    j->pretty = pretty;
    return j;
}

struct json *json_new_for_html(void)
{
    struct json *j = json_new(false);

    j->for_html = true;
    return j;
}

void json_free(struct json *j)
{
    if (!j)
        return;
    g_free(j->text);
    g_free(j);
}

/* ---- Printing ---- */

/* "<" can only stand in a string. */
static void print_for_html(const char *text, size_t len)
{
    const char *less;

    while ((less = memchr(text, '<', len))) {
        fwrite(text, 1, (size_t)(less - text), stdout);
        fputs("\\u003c", stdout);
        len -= (size_t)(less + 1 - text);
        text = less + 1;
    }
    fwrite(text, 1, len, stdout);
}

static void print(struct json *j)
{
    if (j->for_html)
        print_for_html(j->text, j->len);
    else
        fwrite(j->text, 1, j->len, stdout);
    j->len = 0;
}

/* ---- Generating ---- */

/* Where the next n bytes go. */
static char *reserve(struct json *j, size_t n)
{
    if (j->size - j->len < n) {
        j->size = 2 * j->size + n;
        j->text = g_realloc(j->text, j->size);
    }
    return j->text + j->len;
}

static void put_char(struct json *j, char c)
{
    *reserve(j, 1) = c;
    j->len++;
}

static void begin_line(struct json *j)
{
    size_t n = 1 + INDENT * j->depth;
    char *p;

    if (!j->pretty)
        return;
    p = reserve(j, n);
    memset(p, ' ', n);
    *p = '\n';
    j->len += n;
}

/* What goes before a key, or a value without one. */
static void begin_item(struct json *j)
{
    if (j->has_key || !j->depth) {
        j->has_key = false;
        return;
    }
    if (!j->empty)
        put_char(j, ',');
    begin_line(j);
    j->empty = false;
}

static void begin_nested(struct json *j, char bracket)
{
    begin_item(j);
    put_char(j, bracket);
    j->depth++;
    j->empty = true;
}

static void end_nested(struct json *j, char bracket)
{
    j->depth--;
    if (!j->empty)
        begin_line(j);
    put_char(j, bracket);
    j->empty = false;
}

void json_end_document(struct json *j)
{
    put_char(j, '\n');
    print(j);
}

void json_begin_object(struct json *j)
{
    begin_nested(j, '{');
}

void json_end_object(struct json *j)
{
    end_nested(j, '}');
    if (j->len >= PRINT_AT)
        print(j);
}

void json_begin_array(struct json *j)
{
    begin_nested(j, '[');
}

void json_end_array(struct json *j)
{
    end_nested(j, ']');
}

void json_key(struct json *j, const char *key)
{
    size_t n = strlen(key);
    char *p;

    begin_item(j);
    p = reserve(j, n + sizeof("\"\": "));
    *p++ = '"';
    memcpy(p, key, n);
    p += n;
    p = put_text(p, j->pretty ? "\": " : "\":");
    j->len = (size_t)(p - j->text);
    j->has_key = true;
}

static bool needs_escape(char c)
{
    return (unsigned char)c < ' ' || c == '"' || c == '\\';
}

static char *put_escaped(char *p, char c)
{
    static const char named[] = "\bb\ff\nn\rr\tt\"\"\\\\";

    *p++ = '\\';
    for (size_t i = 0; named[i]; i += 2) {
        if (named[i] == c) {
            *p++ = named[i + 1];
            return p;
        }
    }
    p = put_text(p, "u00");
    return put_hex_bytes(p, (const uint8_t *)&c, 1);
}

/* Valid UTF-8, of n bytes. */
static void put_string(struct json *j, const char *text, size_t n)
{
    char *p;

    begin_item(j);
    p = reserve(j, 6 * n + 2);
    *p++ = '"';
    for (size_t i = 0; i < n; i++) {
        if (needs_escape(text[i]))
            p = put_escaped(p, text[i]);
        else
            *p++ = text[i];
    }
    *p++ = '"';
    j->len = (size_t)(p - j->text);
}

void json_string(struct json *j, const char *text)
{
    g_autofree char *valid = NULL;

    if (!text)
        text = "";
    if (!g_utf8_validate(text, -1, NULL))
        text = valid = g_utf8_make_valid(text, -1);
    put_string(j, text, strlen(text));
}

void json_hex(struct json *j, const uint8_t *bytes, size_t len)
{
    char *p = json_begin_raw(j, 2 * len + 2);

    *p++ = '"';
    p = put_hex_bytes(p, bytes, len);
    *p++ = '"';
    json_end_raw(j, p);
}

char *json_begin_raw(struct json *j, size_t most)
{
    begin_item(j);
    return reserve(j, most);
}

void json_end_raw(struct json *j, const char *end)
{
    j->len = (size_t)(end - j->text);
}

static void put_raw(struct json *j, const char *text)
{
    size_t n = strlen(text);

    json_end_raw(j, (char *)memcpy(json_begin_raw(j, n), text, n) + n);
}

void json_uint(struct json *j, uint64_t value)
{
    json_end_raw(j, put_decimal(json_begin_raw(j, DECIMAL_MAX), value));
}

void json_double(struct json *j, double value)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE];

    g_ascii_formatd(text, sizeof(text), "%.6g", isfinite(value) ? value : 0);
    put_raw(j, text);
}

void json_bool(struct json *j, bool value)
{
    put_raw(j, value ? "true" : "false");
}

void json_key_string(struct json *j, const char *key, const char *text)
{
    json_key(j, key);
    json_string(j, text);
}

void json_key_uint(struct json *j, const char *key, uint64_t value)
{
    json_key(j, key);
    json_uint(j, value);
}

void json_key_double(struct json *j, const char *key, double value)
{
    json_key(j, key);
    json_double(j, value);
}

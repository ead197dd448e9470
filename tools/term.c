/* term.c -- standard error as people read it. In: messages, progress, raw names. Out: safe lines.
 * Invariant: a message never lands in the middle of a progress line. */
#include "term.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/os.h"

static struct {
    pthread_mutex_t lock;
    int tty, color, quiet;
    int shown;       /* a progress line stands on the terminal */
    int pending;     /* `line` was given but not shown */
    double shown_at; /* when a progress line was last printed */
    char line[512];
} term = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- text ---- */

/* Characters that change how others are shown: C1 controls, direction marks and overrides. */
static int hidden(unsigned code)
{
    return code < 0xa0 || code == 0x61c || (code >= 0x200b && code <= 0x200f) ||
           (code >= 0x2028 && code <= 0x202e) || (code >= 0x2060 && code <= 0x206f) ||
           code == 0xfeff;
}

static unsigned decode(const unsigned char *p, size_t n)
{
    unsigned code = n == 2 ? p[0] & 0x1fu : n == 3 ? p[0] & 0x0fu : p[0] & 0x07u;
    for (size_t i = 1; i < n; i++)
        code = code << 6 | (p[i] & 0x3fu);
    return code;
}

static void escape(struct ctr_str *out, const char *text, int keep_newlines)
{
    for (const unsigned char *p = (const unsigned char *)text; *p;) {
        size_t n = ctr_str_utf8(p);
        if (*p == '\n' && keep_newlines)
            ctr_str_add(out, "\n  ", 3);
        else if (*p == '\n' || *p == '\t')
            ctr_str_add(out, *p == '\n' ? "\\n" : "\\t", 2);
        else if (n == 0 || *p < 0x20 || *p == 0x7f)
            ctr_str_addf(out, "\\x%02x", *p);
        else if (n > 1 && hidden(decode(p, n)))
            ctr_str_addf(out, "\\u%04x", decode(p, n));
        else
            ctr_str_add(out, (const char *)p, n);
        p += n ? n : 1;
    }
}

void term_escape(struct ctr_str *out, const char *text)
{
    escape(out, text, 0);
}

int term_print(struct ctr_str *text)
{
    int rc =
        text->failed ? ctr_fail(CTR_E_FAIL, "out of host memory for what is to be printed") : 0;
    if (rc == 0 && text->n)
        fwrite(text->s, 1, text->n, stdout);
    ctr_str_free(text);
    return rc;
}

const char *term_bytes(char *buf, uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)bytes;
    int unit = 0;
    while (value >= 1023.95 && unit < 6) {
        value /= 1024;
        unit++;
    }
    int decimals = unit > 0 && value < 99.95;
    snprintf(buf, 24, "%.*f %s", decimals, value, units[unit]);
    return buf;
}

const char *term_duration(char *buf, double seconds)
{
    double whole = seconds < 0 ? 0 : seconds;
    unsigned long long s = whole < 1e15 ? (unsigned long long)(whole + 0.5) : 0;
    if (!(whole < 1e15))
        snprintf(buf, 24, "forever");
    else if (whole < 0.9995)
        snprintf(buf, 24, "%.0fms", whole * 1e3);
    else if (whole < 59.95)
        snprintf(buf, 24, "%.1fs", whole);
    else if (s < 3600)
        snprintf(buf, 24, "%llum%02llus", s / 60, s % 60);
    else if (s < 48 * 3600)
        snprintf(buf, 24, "%lluh%02llum", s / 3600, s % 3600 / 60);
    else
        snprintf(buf, 24, "%llud%02lluh", s / 86400, s % 86400 / 3600);
    return buf;
}

/* ---- standard error ---- */

int term_width(int fd)
{
    struct winsize size = {0};
    if (!isatty(fd) || ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return 80;
    return size.ws_col < 20 ? 20 : size.ws_col > 200 ? 200 : size.ws_col;
}

/* Bytes of text that fill at most `columns`; every character is taken as one column wide. */
static size_t cut(const char *text, int columns)
{
    size_t n = 0;
    while (text[n] && columns-- > 0)
        for (n++; (text[n] & 0xc0) == 0x80;)
            n++;
    return n;
}

static void clear_progress(void)
{
    if (term.shown)
        fputs("\r\x1b[K", stderr);
    term.shown = 0;
}

static void show_progress(double now)
{
    if (term.tty)
        fprintf(stderr, "\r%.*s\x1b[K", (int)cut(term.line, term_width(2) - 1), term.line);
    else
        fprintf(stderr, "%s\n", term.line);
    term.shown = term.tty;
    term.pending = 0;
    term.shown_at = now;
    fflush(stderr);
}

void term_progress(const char *fmt, ...)
{
    struct ctr_str safe = {0};
    char raw[sizeof term.line];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(raw, sizeof raw, fmt, ap);
    va_end(ap);
    term_escape(&safe, raw);
    pthread_mutex_lock(&term.lock);
    double now = ctr_now(), wait = term.tty ? 0.1 : 30;
    if (!term.quiet && safe.s && !safe.failed) {
        snprintf(term.line, sizeof term.line, "%s", safe.s);
        term.pending = 1;
        if (!term.tty && term.shown_at == 0)
            term.shown_at = now; /* the first plain line comes after 30 s, too */
        if (now - term.shown_at >= wait)
            show_progress(now);
    }
    pthread_mutex_unlock(&term.lock);
    ctr_str_free(&safe);
}

void term_progress_end(void)
{
    pthread_mutex_lock(&term.lock);
    if (term.pending)
        show_progress(ctr_now());
    if (term.shown)
        fputc('\n', stderr);
    term.shown = 0;
    term.shown_at = 0;
    fflush(stderr);
    pthread_mutex_unlock(&term.lock);
}

/* One message: label in colour, text escaped, continued lines indented. */
static void say(const char *label, const char *color, const char *text)
{
    struct ctr_str safe = {0};
    escape(&safe, text, 1);
    pthread_mutex_lock(&term.lock);
    clear_progress();
    const char *on = term.color && *label ? color : "", *off = *on ? "\x1b[0m" : "";
    fprintf(stderr, "%s%s%s%s%s\n", on, label, off, *label ? " " : "",
            safe.s && !safe.failed ? safe.s : "");
    fflush(stderr);
    pthread_mutex_unlock(&term.lock);
    ctr_str_free(&safe);
}

void term_error(void)
{
    const char *text = ctr_error_text(), *hint = ctr_error_hint();
    say("error:", "\x1b[1;31m", *text ? text : "failed without saying why");
    if (*hint)
        say("hint:", "\x1b[1;36m", hint);
}

void term_note(const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (!term.quiet)
        say("", "", text);
}

void term_warn(const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    say("warning:", "\x1b[1;33m", text);
}

static void log_sink(void *user, enum ctr_log_level level, const char *line)
{
    static const struct {
        const char *label, *color;
    } looks[] = {
        {"error:", "\x1b[1;31m"}, {"warning:", "\x1b[1;33m"}, {"", ""}, {"debug:", "\x1b[2m"}};
    (void)user;
    say(looks[level].label, looks[level].color, line);
}

/* ---- set-up ---- */

/* A file opened later must not become number 1 or 2 and receive our messages. */
static void fill_closed_streams(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY) < 0)
            return;
}

static int wants_color(void)
{
    const char *none = getenv("NO_COLOR"), *name = getenv("TERM");
    return term.tty && !(none && *none) && name && strcmp(name, "dumb") != 0;
}

void term_init(void)
{
    const char *name = getenv("TERM");
    fill_closed_streams();
    /* A progress line needs "\r" and "erase to the end of the line". */
    term.tty = isatty(2) && name && *name && strcmp(name, "dumb") != 0;
    term.color = wants_color();
    ctr_log_set(log_sink, NULL, CTR_LOG_INFO);
}

void term_setup(int quiet, int verbose, enum term_color color)
{
    term.quiet = quiet;
    term.color = color == TERM_COLOR_AUTO ? wants_color() : color == TERM_COLOR_ALWAYS;
    ctr_log_set(log_sink, NULL, verbose ? CTR_LOG_DEBUG : quiet ? CTR_LOG_WARN : CTR_LOG_INFO);
}

/* ALSA reports faults through a function with any number of arguments, which stable Rust can call but not define. */

#include <stdarg.h>
#include <stdio.h>

typedef void (*lunchroom_line)(const char *text);

static lunchroom_line line;

/* Set once, before ALSA gets the function below. */
void lunchroom_alsa_lines(lunchroom_line to)
{
    line = to;
}

void lunchroom_alsa_error(const char *file, int row, const char *function, int error, const char *format, ...)
{
    char text[512];
    va_list arguments;

    (void)file;
    (void)row;
    (void)function;
    (void)error;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    line(text);
}

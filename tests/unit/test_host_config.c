/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/config.h"
#include "one_file.h"

static void write_file(const void *bytes, size_t n)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

static int check_memory(cfg_t *cfg, cfg_opt_t *opt)
{
    if (config_integer(opt) < 1)
        return config_error(cfg, "memory = %ld: expected at least 1 (MiB)", config_integer(opt));
    return 0;
}

static int parse(struct problem *p, char *kernel, size_t kernel_bytes)
{
    cfg_opt_t console[] = {CFG_STR("type", "xen", CFGF_NONE), CFG_END()};
    cfg_opt_t domain[] = {CFG_STR("kernel", "tiny", CFGF_NONE), CFG_INT("memory", 64, CFGF_NONE),
                          CFG_SEC("console", console, CFGF_TITLE | CFGF_MULTI), CFG_END()};
    cfg_opt_t top[] = {CFG_SEC("domain", domain, CFGF_TITLE | CFGF_MULTI | CFGF_NO_TITLE_DUPES), CFG_END()};
    cfg_t *cfg = cfg_init(top, CFGF_NONE);
    int error;

    cfg_set_validate_func(cfg, "domain|memory", check_memory);
    error = config_parse(cfg, path, p);
    if (error == 0 && kernel != NULL && cfg_size(cfg, "domain") > 0)
        snprintf(kernel, kernel_bytes, "%s", cfg_getstr(cfg_getnsec(cfg, "domain", 0), "kernel"));
    cfg_free(cfg);
    return error;
}

static const struct {
    const char *name, *text;
    size_t bytes;       /* 0: up to the NUL */
    const char *expect; /* after the path; NULL: it is taken */
    const char *kernel;
} files[] = {
    {"empty", "", 0, NULL, NULL},
    {"a block", "domain \"a\" { kernel = \"tiny\" memory = 64 }\n", 0, NULL, "tiny"},
    {"comments of all kinds", "# { one\n// { two\n/* { \n */ domain a { kernel = x }", 0, NULL, "x"},
    {"braces in strings", "domain a { kernel = '}' }", 0, NULL, "}"},
    {"a slash in a word", "domain a { kernel = ./a/b }", 0, NULL, "./a/b"},
    {"dollar in single quotes", "domain a { kernel = '${HOME}' }", 0, NULL, "${HOME}"},
    {"dollar behind a backslash", "domain a { kernel = \"\\${HOME}\" }", 0, NULL, "${HOME}"},
    {"an escaped quote", "domain a { kernel = \"a\\\"}b\" }", 0, NULL, "a\"}b"},
    {"CR LF", "domain a {\r\n kernel = x\r\n}\r\n", 0, NULL, "x"},
    {"a number after \\x", "domain a { kernel = \"\\x41\" }", 0, NULL, "A"},
    {"NUL", "domain a {\n\0}", 13, ":2: byte 0x00: expected text", NULL},
    {"a control character", "\n\ndomain\x01 a { }", 0, ":3: byte 0x01: expected text", NULL},
    {"DEL", "domain a { }\x7f", 0, ":1: byte 0x7f: expected text", NULL},
    {"ends inside a block", "\ndomain a {\n kernel = x\n", 0, ":2: this block has no end: expected }", NULL},
    {"a brace too many", "domain a { }\n}\n", 0, ":2: this } closes nothing: expected a key or the end of the file",
     NULL},
    {"a string without end", "domain a {\n kernel = \"x }\n", 0, ":2: this string has no end: expected \"", NULL},
    {"a single-quoted one", "domain a {\n kernel = 'x }\n", 0, ":2: this string has no end: expected '", NULL},
    {"a comment without end", "\n/* domain a { }\n", 0, ":2: this comment has no end: expected */", NULL},
    {"the environment, in a string", "domain a { kernel = \"${HOME}\" }", 0,
     ":1: ${…} is not filled in: write \\${ or use single quotes for the text itself", NULL},
    {"the environment, bare", "\ndomain a { kernel = ${HOME} }", 0,
     ":2: ${…} is not filled in: use single quotes for the text itself", NULL},
    {"the environment, as first byte", "${HOME}", 0, ":1: ${…} is not filled in: use single quotes for the text itself",
     NULL},
    {"octal NUL", "domain a { kernel = \"a\\0b\" }", 0, ":1: a NUL in a string: expected text", NULL},
    {"hexadecimal NUL", "domain a { kernel = \"a\\x00b\" }", 0, ":1: a NUL in a string: expected text", NULL},
    {"// in a word", "domain a { kernel = http://x }\n", 0,
     ":1: // inside a word: put the word in quotes, or a space before the comment", NULL},
    {"an unknown key", "domain a {\n kernel = x\n memroy = 3 }", 0,
     ":3: no such option 'memroy': expected one of kernel, memory, console", NULL},
    {"a value that a callback refuses", "domain a {\n\n/* a\n b */ memory = 0\n}", 0,
     ":4: memory = 0: expected at least 1 (MiB)", NULL},
    {"no number", "domain a {\n memory = lots\n}", 0, ":2: invalid integer value for option 'memory'", NULL},
    {"names twice", "domain a { }\ndomain a { }\n", 0, ":2: found duplicate title 'a'", NULL},
    {"a bad escape", "domain a { kernel = \"\\89\" }", 0, ":1: bad escape sequence '\\89'", NULL},
};

static void each_file_is_taken_or_named_by_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(files); i++) {
        struct problem p = {""};
        char kernel[64] = "";
        size_t n = files[i].bytes != 0 ? files[i].bytes : strlen(files[i].text);
        int error;

        write_file(files[i].text, n);
        error = parse(&p, kernel, sizeof kernel);
        if ((error == 0) != (files[i].expect == NULL))
            fail_msg("%s: %s", files[i].name, error == 0 ? "taken" : p.text);
        if (files[i].expect != NULL &&
            (strncmp(p.text, path, strlen(path)) != 0 || strcmp(p.text + strlen(path), files[i].expect) != 0))
            fail_msg("%s: says: %s", files[i].name, p.text);
        if (files[i].kernel != NULL && strcmp(kernel, files[i].kernel) != 0)
            fail_msg("%s: kernel is %s", files[i].name, kernel);
    }
}

static void what_is_no_file_is_refused(void **state)
{
    struct problem p;

    (void)state;
    unlink(path);
    assert_int_equal(parse(&p, NULL, 0), -ENOENT);
    assert_non_null(strstr(p.text, "No such file"));
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(parse(&p, NULL, 0), -EINVAL); /* and does not hang */
    assert_non_null(strstr(p.text, "expected a regular file, this is something else"));
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(parse(&p, NULL, 0), -EINVAL);
    assert_non_null(strstr(p.text, "this is a directory"));
    rmdir(path);
}

static void one_mebibyte_is_the_limit(void **state)
{
    char *text = malloc(CONFIG_BYTES + 1);
    struct problem p;

    (void)state;
    assert_non_null(text);
    memset(text, ' ', CONFIG_BYTES + 1);
    write_file(text, CONFIG_BYTES);
    assert_int_equal(parse(&p, NULL, 0), 0);
    write_file(text, CONFIG_BYTES + 1);
    assert_int_equal(parse(&p, NULL, 0), -EINVAL);
    assert_non_null(strstr(p.text, "more than 1 MiB"));
    memset(text, '{', CONFIG_BYTES);
    write_file(text, CONFIG_BYTES);
    assert_int_equal(parse(&p, NULL, 0), -EINVAL);
    assert_non_null(strstr(p.text, "more than 16 deep"));
    free(text);
}

static void random_bytes_end_in_an_answer(void **state)
{
    static const char words[] =
        "domain a { } = \" ' # // /* */ ${ \\ \n kernel memory console 0 1 ( ) , += \t \x80 \xff";
    unsigned seed = 7;

    (void)state;
    for (int round = 0; round < 800; round++) {
        char text[200];
        struct problem p = {""};
        size_t n = 0, most = (size_t)(rand_r(&seed) % 190);

        while (n < most)
            text[n++] = rand_r(&seed) % 3 == 0 ? words[(size_t)rand_r(&seed) % (sizeof words - 1)]
                                               : "{}\"'=a \n"[rand_r(&seed) % 8];
        write_file(text, n);
        if (parse(&p, NULL, 0) != 0 && strncmp(p.text, path, strlen(path)) != 0)
            fail_msg("round %d: '%s' does not begin with the path", round, p.text);
    }
}

static void words_tell_files_apart(void **state)
{
    static const char text[] = "a = 'domain'\nb { domain c { } '}' }\ndomain x { a = 1 } last";
    static const char *const expect[] = {"a", "b", "domain", "x", "last"};
    size_t at = 0;
    char word[64];

    (void)state;
    for (size_t i = 0; i < N_ROWS(expect); i++) {
        assert_true(config_word(text, &at, word));
        assert_string_equal(word, expect[i]);
    }
    assert_false(config_word(text, &at, word));
}

static int set_up(void **state)
{
    (void)state;
    return make_directory("it.conf");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_file_is_taken_or_named_by_line),
        cmocka_unit_test(what_is_no_file_is_refused),
        cmocka_unit_test(one_mebibyte_is_the_limit),
        cmocka_unit_test(random_bytes_end_in_an_answer),
        cmocka_unit_test(words_tell_files_apart),
    };

    return cmocka_run_group_tests(tests, set_up, remove_directory);
}

// The accsim program: arguments in, exit status out. The one place where errors become messages.
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include "cli/command.h"
#include "formats/error.h"
#include "formats/text.h"

namespace accsim::cli {
namespace {

/// The arguments; a blank stands before negative values of `quantize`, so that they are not taken for options.
std::vector<std::string> arguments(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  if (words.empty() || words.front() != "quantize") return words;
  for (std::string& word : words) {
    const std::string lower = lower_case(word);
    const bool is_number = lower.size() > 1 && lower[0] == '-' && (lower[1] == '.' || (lower[1] >= '0' && lower[1] <= '9'));
    const bool negative_value = is_number || lower == "-inf" || lower == "-infinity" || lower == "-nan";
    if (negative_value) word.insert(0, " ");
  }
  return words;
}

/// What one small layer frees serves the next: given back and asked for again, every page is cleared anew, a tenth of a short run. What
/// large ones free goes back.
void keep_freed_memory() {
#if defined(__GLIBC__)
  mallopt(M_MMAP_THRESHOLD, 16 << 20);
  mallopt(M_TRIM_THRESHOLD, 64 << 20);
#endif
}

int run_program(int argc, char** argv) {
  keep_freed_memory();
  auto log = spdlog::stderr_color_st("accsim");
  log->set_pattern("accsim: %^%l%$: %v");
  spdlog::set_default_logger(log);

  CLI::App app{"Replays the tensors of neural network layers through a bit-exact model of a multiply-accumulate datapath.", "accsim"};
  app.set_version_flag("--version", version());
  app.require_subcommand(1);
  app.get_formatter()->column_width(34);
  set_example(app, "accsim run --acc fp12 --trace traces/samples/layer3.h5");
  Action action;
  add_run(app, action);
  add_bounds(app, action);
  add_sweep(app, action);
  add_info(app, action);
  add_list(app, action);
  add_show(app, action);
  add_quantize(app, action);
  add_vectors(app, action);
  add_check(app, action);
  add_update(app, action);
  add_assign(app, action);
  add_probe(app, action);
  add_wave(app, action);
  add_completion(app, action);
  try {
    std::vector<std::string> words = arguments(argc, argv);
    std::reverse(words.begin(), words.end());  // as CLI11 takes them
    app.parse(words);
  } catch (const CLI::ParseError& error) {
    const int status = app.exit(error);
    return status == 0 ? exit_done : exit_usage;
  }
  try {
    return action();
  } catch (const UsageError& error) {
    spdlog::error("{}", error.what());
    return exit_usage;
  } catch (const InputError& error) {
    spdlog::error("{}", error.what());
    return exit_bad_input;
  } catch (const std::exception& error) {
    spdlog::critical("internal error: {}", error.what());
    return exit_internal;
  }
}

}  // namespace
}  // namespace accsim::cli

int main(int argc, char** argv) { return accsim::cli::run_program(argc, argv); }

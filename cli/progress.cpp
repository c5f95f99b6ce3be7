#include "cli/progress.h"

#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace accsim::cli {
namespace {

std::string duration(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  if (whole >= 3600) return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

}  // namespace

Progress::Progress(ProgressMode mode, std::int64_t total_macs)
    : enabled_(mode == ProgressMode::always || (mode == ProgressMode::automatic && isatty(STDERR_FILENO) != 0)),
      always_(mode == ProgressMode::always),
      total_(std::max<std::int64_t>(1, total_macs)),
      start_(std::chrono::steady_clock::now()),
      last_drawn_(start_) {}

Progress::~Progress() { clear(); }

void Progress::start_layer(const std::string& name) {
  layer_ = name;
  if (always_) draw();
}

void Progress::advance(std::int64_t macs) {
  done_ += macs;
  const auto now = std::chrono::steady_clock::now();
  if (!enabled_ || now - last_drawn_ < std::chrono::milliseconds(100)) return;
  if (!always_ && now - start_ < std::chrono::milliseconds(500)) return;
  last_drawn_ = now;
  draw();
}

void Progress::draw() {
  const double share = std::min(1.0, static_cast<double>(done_) / static_cast<double>(total_));
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  constexpr int width = 30;
  const int filled = static_cast<int>(share * width);
  const std::string left = share > 0.005 ? duration(seconds * (1 - share) / share) : "-:--";
  const std::string line = fmt::format("\r[{}{}] {:3.0f} %  left {}  {:.40}", std::string(static_cast<std::size_t>(filled), '#'),
                                       std::string(static_cast<std::size_t>(width - filled), '.'), 100 * share, left, layer_);
  std::fputs((line + "\033[K").c_str(), stderr);
  std::fflush(stderr);
  drawn_ = true;
}

void Progress::clear() {
  if (!drawn_) return;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
  drawn_ = false;
}

}  // namespace accsim::cli

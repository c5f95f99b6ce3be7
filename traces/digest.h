// The digests by which a report names the trace file and the datapath that it was made from.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace accsim::traces {

/// SHA-256 (FIPS 180-4) of a file's bytes in lower-case hexadecimal, 64 digits. InputError where it cannot be read.
std::string sha256_of_file(const std::filesystem::path& path);
/// SHA-256 of a text, in the same form.
std::string sha256_of_text(std::string_view text);

}  // namespace accsim::traces

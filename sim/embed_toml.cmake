# Writes a source file that holds the TOML files of FOLDER as raw strings: a function FUNCTION of rows of TYPE, declared in HEADER.
file(GLOB files ${FOLDER}/*.toml)
list(SORT files)
set(rows "")
foreach(file ${files})
  get_filename_component(name ${file} NAME_WE)
  file(READ ${file} text)
  string(APPEND rows "    {\"${name}\", R\"~~(${text})~~\"},\n")
endforeach()
get_filename_component(folder ${FOLDER} NAME)
file(WRITE ${OUTPUT} "// Made from sim/${folder}/*.toml.
#include \"${HEADER}\"

namespace accsim::sim {
std::span<const ${TYPE}> ${FUNCTION}() {
  static constexpr ${TYPE} all[] = {
${rows}  };
  return all;
}
}  // namespace accsim::sim
")

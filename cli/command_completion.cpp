// accsim completion: scripts for bash, zsh and fish, made from the arguments that the program takes.
#include <iostream>
#include <memory>

#include "cli/command.h"

namespace accsim::cli {
namespace {

std::string joined(const std::vector<std::string>& words, const std::string& separator) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : separator) + word;
  return text;
}

std::vector<std::string> subcommands(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) names.push_back(sub->get_name());
  return names;
}

std::vector<std::string> long_options(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

std::string without_quotes(std::string text) {
  std::erase(text, '\'');
  return text;
}

/// What follows --acc and the names of `list`, asked of the program itself, so that it is never out of date.
constexpr const char* datapath_names = "accsim list datapaths 2>/dev/null | sed 1d | cut -d\" \" -f1";

void bash(std::ostream& out, const CLI::App& app) {
  out << "_accsim() {\n  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
      << "  if [ \"$COMP_CWORD\" -eq 1 ]; then COMPREPLY=($(compgen -W '" << joined(subcommands(app), " ")
      << "' -- \"$word\")); return; fi\n"
      << "  if [ \"$before\" = --acc ] || [ \"$before\" = show ]; then COMPREPLY=($(compgen -W \"$(" << datapath_names
      << ")\" -- \"$word\") $(compgen -f -- \"$word\")); return; fi\n"
      << "  case ${COMP_WORDS[1]} in\n";
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    const std::string extra = sub->get_name() == "list"         ? " formats roundings overflows datapaths recipes statistics executors"
                              : sub->get_name() == "completion" ? " bash zsh fish"
                                                                : "";
    out << "    " << sub->get_name() << ") COMPREPLY=($(compgen -W '" << joined(long_options(*sub), " ") << extra
        << "' -- \"$word\") $(compgen -f -- \"$word\"));;\n";
  }
  out << "  esac\n}\ncomplete -F _accsim accsim\n";
}

void zsh(std::ostream& out, const CLI::App& app) {
  out << "#compdef accsim\n_accsim() {\n  local -a commands\n  commands=(\n";
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; }))
    out << "    '" << sub->get_name() << ":" << without_quotes(sub->get_description()) << "'\n";
  out << "  )\n  if (( CURRENT == 2 )); then _describe command commands; return; fi\n"
      << "  if [[ $words[CURRENT-1] == --acc || $words[CURRENT-1] == show ]]; then compadd -- ${(f)\"$(" << datapath_names
      << ")\"}; _files; return; fi\n  case $words[2] in\n";
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    const std::string extra = sub->get_name() == "list"         ? " formats roundings overflows datapaths recipes statistics executors"
                              : sub->get_name() == "completion" ? " bash zsh fish"
                                                                : "";
    out << "    " << sub->get_name() << ") compadd -- " << joined(long_options(*sub), " ") << extra << "; _files;;\n";
  }
  out << "  esac\n}\ncompdef _accsim accsim\n";
}

void fish(std::ostream& out, const CLI::App& app) {
  out << "complete -c accsim -n __fish_use_subcommand -f\n";
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    out << "complete -c accsim -n __fish_use_subcommand -a " << sub->get_name() << " -d '" << without_quotes(sub->get_description())
        << "'\n";
    for (const CLI::Option* option : sub->get_options()) {
      for (const std::string& name : option->get_lnames()) {
        out << "complete -c accsim -n '__fish_seen_subcommand_from " << sub->get_name() << "' -l " << name << " -d '"
            << without_quotes(option->get_description()) << "'";
        if (name == "acc") out << " -a '(" << datapath_names << ")'";
        out << '\n';
      }
    }
  }
  out << "complete -c accsim -n '__fish_seen_subcommand_from list' -a 'formats roundings overflows datapaths recipes statistics "
         "executors'\n"
      << "complete -c accsim -n '__fish_seen_subcommand_from completion' -a 'bash zsh fish'\n";
}

}  // namespace

void add_completion(CLI::App& app, Action& action) {
  auto shell = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("completion", "Print a completion script for a shell");
  set_example(*command, "source <(accsim completion bash)");
  command->add_option("shell", *shell, "bash, zsh or fish")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
  command->callback([shell, &app, &action] {
    action = [shell, &app] {
      if (*shell == "bash") bash(std::cout, app);
      else if (*shell == "zsh") zsh(std::cout, app);
      else fish(std::cout, app);
      return exit_done;
    };
  });
}

}  // namespace accsim::cli

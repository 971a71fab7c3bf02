const reasons: Record<string, string> = {
  replace_because_tainted: 'It is replaced because it is tainted: it was made half, or somebody marked it.',
  replace_because_cannot_update: 'It is replaced because what changes can’t be changed in place.',
  replace_by_request: 'It is replaced because somebody asked for that.',
  replace_by_triggers: 'It is replaced because something that it names in replace_triggered_by changes.',
  delete_because_no_resource_config: 'It is destroyed because it is not in the code any more.',
  delete_because_no_module: 'It is destroyed because its module is not in the code any more.',
  delete_because_wrong_repetition: 'It is destroyed because it has, or lacks, a key that count or for_each asks for.',
  delete_because_count_index: 'It is destroyed because count is lower than its number.',
  delete_because_each_key: 'It is destroyed because for_each has no such key any more.',
  delete_because_no_move_target: 'It is destroyed because what it was moved to is not in the code.',
  read_because_config_unknown: 'It is read while applying, because what it asks for is not known before.',
  read_because_dependency_pending: 'It is read while applying, because something that it depends on changes.',
  read_because_check_nested: 'It is read while applying, for a check.',
};

/** Why an engine does what it plans, in words; what is no word of an engine's stays as it is. */
export function sayReason(reason: string): string {
  if (reasons[reason]) return reasons[reason];
  return /^[a-z]+(_[a-z]+)+$/.test(reason) ? reason.replaceAll('_', ' ') : reason;
}

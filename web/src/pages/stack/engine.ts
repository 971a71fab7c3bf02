import type { StackEngine } from '../../api/types';

const titles: Record<string, string> = {
  tofu: 'OpenTofu',
  terraform: 'Terraform',
  terragrunt: 'Terragrunt',
  pulumi: 'Pulumi',
};

/** What runs a stack, as far as it is known before a run. */
export function engineName({ name, version }: StackEngine): string {
  if (!name) return "the pool's own engine";
  const title = titles[name] ?? name;
  return version ? `${title} ${version}` : `${title}, in the version that the pool has`;
}

/** Who asks for which version. */
export function whyEngine({ wanted, from }: StackEngine): string {
  if (!wanted) return 'no version';
  return from ? `${wanted}, by ${from}` : wanted;
}

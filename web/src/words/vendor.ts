const names: Record<string, string> = {
  terraform: 'OpenTofu or Terraform',
  terragrunt: 'Terragrunt',
  ansible: 'Ansible',
  kubernetes: 'Kubernetes',
  pulumi: 'Pulumi',
};

/** What plans and applies a stack, for people. */
export const vendorName = (vendor: string) => names[vendor] ?? vendor;

/** What the parts of a plan are, by the tool that made it. */
export function partsOf(vendor: string): string {
  if (vendor === 'ansible') return 'Tasks';
  if (vendor === 'kubernetes') return 'Objects';
  return 'Resources';
}

import { queryOptions } from '@tanstack/react-query';
import { api, body } from '../../api/client';
import { asProblem } from '../../api/problem';

export type Checker = 'workflow' | 'template' | 'documents';

const workflows = /^kind:\s*["']?(Workflow|WorkflowTemplate|ClusterWorkflowTemplate|CronWorkflow)["']?\s*$/m;

/** What can tell whether a file is sound; undefined for one that the platform does not read. */
export function checkerOf(path: string, text: string): Checker | undefined {
  if (!/\.ya?ml$/i.test(path)) return undefined;
  if (/^apiVersion:\s*["']?scaffolder\.backstage\.io\//m.test(text) && /^kind:\s*["']?Template\b/m.test(text))
    return 'template';
  if (text.includes('${{')) return undefined; // a file that a golden path fills in
  if (/^apiVersion:\s*["']?argoproj\.io\//m.test(text) && workflows.test(text)) return 'workflow';
  if (/(^|\/)catalog-info\.ya?ml$/i.test(path) || /(^|\/)\.roadbed\//.test(path)) return 'documents';
  return undefined;
}

export interface Finding {
  /** It can't be used as it is. */
  bad: boolean;
  place: string;
  message: string;
}

/** What is to be said of a file before it is committed. */
export const findings = (path: string, text: string) => {
  const checker = checkerOf(path, text);
  return queryOptions({
    queryKey: ['check', checker, path, text],
    enabled: checker !== undefined && text.length < 500_000,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 30_000,
    retry: false,
    queryFn: async (): Promise<Finding[]> => {
      const lint = { body: { file: path, document: text } };
      try {
        if (checker === 'documents') {
          await body(api.POST('/api/v1/apply', { body: { documents: text, dryRun: true } }));
          return [];
        }
        const report = await body(
          checker === 'template' ? api.POST('/api/v1/templates/lint', lint) : api.POST('/api/v1/workflows/lint', lint),
        );
        return report.warnings.map((w) => ({ bad: false, place: w.location, message: w.message }));
      } catch (err) {
        const problem = asProblem(err);
        if (problem.status !== 422 && problem.status !== 400) return []; // another source has it, or it is not for the reader to declare
        const places = problem.places.map((p) => ({ bad: true, place: p.location ?? '', message: p.message }));
        return places.length > 0 ? places : [{ bad: true, place: '', message: problem.message }];
      }
    },
  });
};

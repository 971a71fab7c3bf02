import { describe, expect, it } from 'vitest';
import { asProblem, fieldErrors, Problem, problemOf } from './problem';

describe('problemOf', () => {
  it('keeps all that a problem document says, with every place', () => {
    const problem = problemOf(422, 'Unprocessable', {
      title: 'Unprocessable Entity',
      detail: 'workflow.yaml can’t be used',
      errors: [
        { message: 'no such template', location: 'workflow.yaml:7:3 spec.entrypoint' },
        { message: 'too long' },
        'nonsense',
      ],
    });
    expect(problem.status).toBe(422);
    expect(problem.message).toBe('workflow.yaml can’t be used');
    expect(problem.places).toEqual([
      { message: 'no such template', location: 'workflow.yaml:7:3 spec.entrypoint' },
      { message: 'too long', location: undefined },
    ]);
  });

  it('makes something readable of any other body', () => {
    expect(problemOf(502, 'Bad Gateway', '<html>proxy</html>').message).toBe('Bad Gateway');
    expect(problemOf(503, '', ' going down ').message).toBe('going down');
    expect(problemOf(500, '', undefined).message).toBe('HTTP 500');
  });
});

it('says that the server does not answer when a request could not be sent', () => {
  expect(asProblem(new TypeError('Failed to fetch')).title).toBe('The server does not answer');
  expect(asProblem('odd').message).toBe('odd');
});

it('finds the fields that places name', () => {
  const problem = new Problem(422, 'x', 'x', [
    { location: 'body.values.name', message: 'taken' },
    { location: 'values/owner', message: 'not a group' },
    { location: 'template.yaml:3:1', message: 'elsewhere' },
    { location: 'name', message: 'too short' },
  ]);
  expect(fieldErrors(problem, ['name', 'owner', 'port'])).toEqual({
    name: ['taken', 'too short'],
    owner: ['not a group'],
  });
});

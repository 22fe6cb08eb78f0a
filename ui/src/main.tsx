import { render } from 'preact';
render(<h1>Infinium</h1>, document.getElementById('page')!);

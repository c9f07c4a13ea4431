//scaffold:needs ai

package api

const ai = api + "/app/ai"

// aiAccesses are the cases of the routes of AI. An API key needs the scope ai to have a model answer.
var aiAccesses = []access{
	{route: "POST " + ai + "/complete", want: asks(200), body: `{"prompt": "Hello"}`},
	{route: "POST " + ai + "/chat", want: asks(200), body: `{"messages": [{"role": "user", "content": "Hello"}], "stream": true}`},
	{route: "POST /v1/chat/completions", want: asks(200), body: `{"model": "sim-small", "messages": [{"role": "user", "content": "Hello"}]}`},
	{route: "GET /v1/models", want: asks(200)},
	{route: "POST /v1/embeddings", want: asks(200), body: `{"model": "omni/embedding", "input": "Hello"}`},
	{route: "GET " + ai + "/models", want: reads(200, 200)},
	{route: "GET " + ai + "/usage", want: reads(200, 200)},
	{route: "GET " + api + "/admin/ai/usage", want: admins(200, 200)},
}

// asks are the statuses of a route where users have models answer, and so do their keys.
func asks(status int) statuses {
	all := persons(status, status)
	all[asker] = status
	return all
}

"""LangChain, traced by MLflow's autologging."""

import langchain_app
import mlflow

mlflow.langchain.autolog()
langchain_app.run()
mlflow.flush_trace_async_logging()
